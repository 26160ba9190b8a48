import { expect, test } from 'vitest';
import { readEntries, type Store, writeEntries } from './storage';

const ENTRIES = [
  { movieId: 6, title: 'Heat (1995)', stars: null },
  { movieId: 2571, title: 'Matrix, The (1999)', stars: 4 },
];

function memory(): Store & { readonly kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

const denied: Store = {
  getItem: () => {
    throw new Error('denied');
  },
  setItem: () => {
    throw new Error('full');
  },
  removeItem: () => {
    throw new Error('denied');
  },
};

test('a history is read back as it was written', () => {
  const store = memory();
  expect(writeEntries(store, ENTRIES)).toBe(true);
  expect(readEntries(store)).toEqual(ENTRIES);
});

test('an empty history leaves nothing behind', () => {
  const store = memory();
  writeEntries(store, ENTRIES);
  expect(writeEntries(store, [])).toBe(true);
  expect(store.kept.size).toBe(0);
});

test('storage that is denied or missing keeps nothing and breaks nothing', () => {
  for (const store of [denied, null]) {
    expect(readEntries(store)).toEqual([]);
    expect(writeEntries(store, ENTRIES)).toBe(false);
  }
});

test.each([
  'no json',
  '[]',
  '{"version": 2, "entries": []}',
  '{"version": 1, "entries": [{"movieId": "6", "title": "Heat", "stars": null}]}',
  '{"version": 1, "entries": [{"movieId": 6, "title": "Heat", "stars": 9}]}',
  '{"version": 1, "entries": [null]}',
])('what is no history of ours is none: %s', (text) => {
  const store = memory();
  store.kept.set('pocketrec.history', text);
  expect(readEntries(store)).toEqual([]);
});
