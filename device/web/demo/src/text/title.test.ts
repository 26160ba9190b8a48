import { expect, test } from 'vitest';
import { shownTitle, spokenTitle } from './title';

test.each([
  ['Matrix, The (1999)', 'The Matrix', 1999],
  ["Bug's Life, A (1998)", "A Bug's Life", 1998],
  ['Misérables, Les (1998)', 'Les Misérables', 1998],
  ["Avventura, L' (Adventure, The) (1960)", "L'Avventura (The Adventure)", 1960],
  [
    'City of Lost Children, The (Cité des enfants perdus, La) (1995)',
    'The City of Lost Children (La Cité des enfants perdus)',
    1995,
  ],
  [
    'Seven Samurai (The Magnificent Seven) (Shichinin no samurai) (1954)',
    'Seven Samurai (The Magnificent Seven) (Shichinin no samurai)',
    1954,
  ],
  ['Good, the Bad and the Ugly, The (1966)', 'The Good, the Bad and the Ugly', 1966],
  ['Me, Myself & Irene (2000)', 'Me, Myself & Irene', 2000],
  ['2001: A Space Odyssey (1968)', '2001: A Space Odyssey', 1968],
])('%s is shown as %s', (title, name, year) => {
  expect(shownTitle(title, null)).toEqual({ name, year });
});

test('a title without a year takes what else is known of it', () => {
  expect(shownTitle('Babylon 5', 1997)).toEqual({ name: 'Babylon 5', year: 1997 });
  expect(shownTitle('Babylon 5', null)).toEqual({ name: 'Babylon 5', year: null });
});

test('a title that is nothing but a year stays', () => {
  expect(shownTitle('(1994)', null).name).toBe('(1994)');
});

test('names that are read out have the year where there is one', () => {
  expect(spokenTitle({ name: 'Heat', year: 1995 })).toBe('Heat (1995)');
  expect(spokenTitle({ name: 'Heat', year: null })).toBe('Heat');
});
