import { expect, test } from 'vitest';
import { type Ranked, reasonFor, type Trial } from './reason';

/** A ranking whose scores fall by one: the standing of each place is the same in all of a length. */
function ranking(...movieIds: readonly number[]): readonly Ranked[] {
  return movieIds.map((movieId, place) => ({ movieId, score: -place }));
}

function without(withoutMovieId: number, ...movieIds: readonly number[]): Trial {
  return { withoutMovieId, ranking: ranking(...movieIds) };
}

const WHOLE = ranking(1, 2, 3, 4, 5);

test('the one movie without which it ranks much lower is the reason', () => {
  const trials = [without(71, 1, 2, 3, 4, 5), without(72, 2, 3, 4, 5, 1)];
  expect(reasonFor(1, WHOLE, trials)).toEqual({ kind: 'mostly', movieId: 72 });
});

test('a movie without which it is not in the ranking at all counts most', () => {
  const trials = [without(71, 2, 3, 4, 1, 5), without(72, 2, 3, 4, 5, 6)];
  expect(reasonFor(1, WHOLE, trials)).toEqual({ kind: 'mostly', movieId: 72 });
});

test('two that are each indispensable are no single reason', () => {
  const trials = [without(71, 2, 3, 4, 5, 6), without(72, 2, 3, 4, 5, 6)];
  expect(reasonFor(1, WHOLE, trials)).toEqual({ kind: 'several' });
});

test('a narrow lead is no single reason', () => {
  // Places 4 and 3 instead of the first: losses of 4 and 3 times the same, a lead of a third.
  const narrow = [without(71, 2, 3, 4, 5, 1), without(72, 2, 3, 4, 1, 5)];
  expect(reasonFor(1, WHOLE, narrow)).toEqual({ kind: 'several' });
  // Places 4 and 2: twice the loss.
  const clear = [without(71, 2, 3, 4, 5, 1), without(72, 2, 3, 1, 4, 5)];
  expect(reasonFor(1, WHOLE, clear)).toEqual({ kind: 'mostly', movieId: 71 });
});

test('nothing lost is no reason', () => {
  const trials = [without(71, 1, 2, 3, 4, 5), without(72, 1, 2, 3, 4, 5)];
  expect(reasonFor(1, WHOLE, trials)).toEqual({ kind: 'several' });
  expect(reasonFor(1, WHOLE, [])).toEqual({ kind: 'several' });
});

test('a movie that keeps its rank has no single reason, whatever its score does', () => {
  const spread = [
    { movieId: 1, score: 9 },
    { movieId: 2, score: 0 },
    { movieId: 3, score: -1 },
  ];
  const close = {
    withoutMovieId: 71,
    ranking: [
      { movieId: 1, score: 3 },
      { movieId: 2, score: 2 },
      { movieId: 3, score: 1 },
    ],
  };
  expect(reasonFor(1, spread, [close])).toEqual({ kind: 'several' });
});

test('movies that hold it back are no rivals of the one that brings it', () => {
  const whole = ranking(2, 1, 3, 4, 5);
  const trials = [without(71, 1, 2, 3, 4, 5), without(72, 2, 3, 4, 1, 5)];
  expect(reasonFor(1, whole, trials)).toEqual({ kind: 'mostly', movieId: 72 });
});

test('scores that are all the same tell by rank alone, so nothing', () => {
  const flat = (...ids: readonly number[]) => ids.map((movieId) => ({ movieId, score: 0 }));
  const trial = { withoutMovieId: 71, ranking: flat(2, 1) };
  expect(reasonFor(1, flat(1, 2), [trial])).toEqual({ kind: 'several' });
});
