import { expect, test } from 'vitest';
import { type Action, EMPTY, type History, has, reduce } from './history';

const HEAT = { movieId: 6, title: 'Heat (1995)', stars: null };
const MATRIX = { movieId: 2571, title: 'Matrix, The (1999)', stars: null };

function after(...actions: readonly Action[]): History {
  return actions.reduce(reduce, EMPTY);
}

const ADD_HEAT: Action = { kind: 'add', movieId: 6, title: 'Heat (1995)' };
const ADD_MATRIX: Action = { kind: 'add', movieId: 2571, title: 'Matrix, The (1999)' };

test('movies stay in the order in which they were added, each once', () => {
  const history = after(ADD_MATRIX, ADD_HEAT, ADD_MATRIX);
  expect(history.entries).toEqual([MATRIX, HEAT]);
  expect(has(history, 6)).toBe(true);
  expect(has(history, 7)).toBe(false);
});

test('a removed movie comes back to its place', () => {
  const removed = reduce(after(ADD_HEAT, ADD_MATRIX), { kind: 'remove', movieId: 6 });
  expect(removed.entries).toEqual([MATRIX]);
  expect(reduce(removed, { kind: 'undo' }).entries).toEqual([HEAT, MATRIX]);
});

test('clearing can be undone once, and only until the next change', () => {
  const cleared = after(ADD_HEAT, ADD_MATRIX, { kind: 'clear' });
  expect(cleared.entries).toEqual([]);
  const back = reduce(cleared, { kind: 'undo' });
  expect(back).toEqual({ entries: [HEAT, MATRIX], before: null });
  expect(reduce(back, { kind: 'undo' })).toBe(back);
  const gone = reduce(cleared, ADD_HEAT);
  expect(reduce(gone, { kind: 'undo' })).toBe(gone);
});

test('clearing nothing leaves no step back', () => {
  expect(after({ kind: 'clear' }).before).toBeNull();
});

test('forgetting leaves no step back', () => {
  expect(after(ADD_HEAT, { kind: 'forget' })).toEqual(EMPTY);
});

test('stars go to one movie and can be taken back', () => {
  const rated = after(ADD_HEAT, ADD_MATRIX, { kind: 'rate', movieId: 6, stars: 4 });
  expect(rated.entries).toEqual([{ ...HEAT, stars: 4 }, MATRIX]);
  const unrated = reduce(rated, { kind: 'rate', movieId: 6, stars: null });
  expect(unrated.entries).toEqual([HEAT, MATRIX]);
});

test('what was kept comes before what was tapped meanwhile', () => {
  const tapped = after(ADD_MATRIX, ADD_HEAT);
  const restored = reduce(tapped, { kind: 'restore', entries: [{ ...HEAT, stars: 5 }] });
  expect(restored.entries).toEqual([{ ...HEAT, stars: 5 }, MATRIX]);
});
