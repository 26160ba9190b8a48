import { expect, test } from 'vitest';
import type { Movie } from '../src/bundle.ts';
import { TitleSearch } from '../src/search.ts';
import { typingErrors } from '../src/typing.ts';

// From the one that was rated most often to the one that was least.
const TITLES = [
  'Star Wars: Episode IV - A New Hope (1977)',
  'Matrix, The (1999)',
  'Toy Story (1995)',
  'Toy Story 2 (1999)',
  'Heat (1995)',
  'Seven Samurai (The Magnificent Seven) (Shichinin no samurai) (1954)',
  'City of Lost Children, The (Cité des enfants perdus, La) (1995)',
  'Sabrina (1954)',
  'Sabrina (1995)',
  'Misérables, Les (1998)',
  'L.A. Confidential (1997)',
  "Schindler's List (1993)",
  'M*A*S*H (1970)',
  'X-Men (2000)',
  'Romeo & Juliet (1968)',
  '2001: A Space Odyssey (1968)',
  'Star (1996)',
  'The Story of Toy (2000)',
  'White Heat (1949)',
  'Alien (1979)',
  'Aliens (1986)',
  'Boat, The (Das Boot) (1981)',
];

const MOVIES: Movie[] = TITLES.map((title, index) => ({
  id: index + 1,
  movieId: 1000 - index,
  title,
  genres: [],
  year: Number(title.slice(-5, -1)),
  count: 100 - index,
}));

const SEARCH = new TitleSearch(MOVIES);

function found(text: string, limit?: number): string[] {
  return SEARCH.search(text, limit).map(({ title }) => title);
}

test.each([
  ['the matrix', 'Matrix, The (1999)'],
  ['Matrix, The (1999)', 'Matrix, The (1999)'],
  ['MATRIX', 'Matrix, The (1999)'],
  ['mat', 'Matrix, The (1999)'],
  ['matirx', 'Matrix, The (1999)'],
  ['the mtarix 1999', 'Matrix, The (1999)'],
  ['toystory', 'Toy Story (1995)'],
  ['story toy', 'Toy Story (1995)'],
  ['toy story 2', 'Toy Story 2 (1999)'],
  ['heat', 'Heat (1995)'],
  ['heat 1949', 'White Heat (1949)'],
  ['sabrina 95', undefined],
  ['sabrina 1995', 'Sabrina (1995)'],
  ['Sabrina (1995)', 'Sabrina (1995)'],
  ['les miserables', 'Misérables, Les (1998)'],
  ['miserables', 'Misérables, Les (1998)'],
  ['la confidential', 'L.A. Confidential (1997)'],
  ['l.a. conf', 'L.A. Confidential (1997)'],
  ['schindlers list', "Schindler's List (1993)"],
  ['schindler’s', "Schindler's List (1993)"],
  ['shindlers list', "Schindler's List (1993)"],
  ['mash', 'M*A*S*H (1970)'],
  ['xmen', 'X-Men (2000)'],
  ['x men', 'X-Men (2000)'],
  ['romeo and juliet', 'Romeo & Juliet (1968)'],
  ['2001', '2001: A Space Odyssey (1968)'],
  ['space oddysey', '2001: A Space Odyssey (1968)'],
  ['shichinin', TITLES[5]],
  ['the magnificent seven', TITLES[5]],
  ['la cite des enfants perdus', TITLES[6]],
  ['lost children', TITLES[6]],
  [TITLES[5] as string, TITLES[5]],
  [TITLES[6] as string, TITLES[6]],
  ['boat, the (das boot)', 'Boat, The (Das Boot) (1981)'],
  ['the boat das boot', 'Boat, The (Das Boot) (1981)'],
  ['das boot', 'Boat, The (Das Boot) (1981)'],
  ['star', 'Star (1996)'],
  ['star w', TITLES[0]],
  ['alien', 'Alien (1979)'],
  ['aliens', 'Aliens (1986)'],
  ['qqqq', undefined],
])('%s: %s', (text, title) => {
  expect(found(text)[0]).toBe(title);
});

test('first what the title begins with, then what it holds; then what was rated most', () => {
  expect(found('toy')).toEqual([
    'Toy Story (1995)',
    'Toy Story 2 (1999)',
    'The Story of Toy (2000)',
  ]);
  expect(found('heat')).toEqual(['Heat (1995)', 'White Heat (1949)']);
  expect(found('sabrina')).toEqual(['Sabrina (1954)', 'Sabrina (1995)']);
});

test('what holds a typing error comes after what holds none', () => {
  const search = new TitleSearch(
    ['Hate (1995)', 'Heat (1995)'].map(
      (title, index) => ({ ...MOVIES[0], id: index, title }) as Movie,
    ),
  );
  expect(search.search('heat').map(({ title }) => title)).toEqual(['Heat (1995)', 'Hate (1995)']);
});

test('a movie of several fitting names comes once', () => {
  expect(found('seven')).toEqual([TITLES[5]]);
});

test('a year alone brings what was rated most', () => {
  expect(found('1995')).toEqual(['Toy Story (1995)', 'Heat (1995)', TITLES[6], 'Sabrina (1995)']);
});

test('no more than asked for', () => {
  expect(found('toy', 1)).toEqual(['Toy Story (1995)']);
  expect(found('s').length).toBeLessThanOrEqual(10);
});

test.each(['', '  ', '?!', '()'])('nothing to search for brings nothing: "%s"', (text) => {
  expect(found(text)).toEqual([]);
});

test.each([
  ['heat', 'heat', 0],
  ['hea', 'heat', 0],
  // A swap, a letter left out, one too many, another one.
  ['haet', 'heat', 1],
  ['samuri', 'samurai', 1],
  ['heeat', 'heat', 1],
  ['hoat', 'heat', 1],
  // Of a word that is still being typed.
  ['samru', 'samurai', 1],
  // Short words are taken as they are, long ones may hold two errors.
  ['hae', 'heat', undefined],
  ['hxxt', 'heat', undefined],
  ['magnifcient', 'magnificent', 1],
  ['manifisent', 'magnificent', 2],
  ['mamifisemt', 'magnificent', undefined],
  ['1995', '1996', undefined],
  ['heated', 'heat', undefined],
])('errors that turn a beginning into "%s", of "%s": %s', (typed, word, errors) => {
  expect(typingErrors(typed, word)).toBe(errors);
});
