import type { Manifest, Recommender } from '@pocketrec/runtime';
import { expect, test } from 'vitest';
import type { Entry } from '../state/history';
import { canExplain, explain, readByModel } from './leave_one_out';

function entry(movieId: number, stars: number | null = null): Entry {
  return { movieId, title: `Film ${movieId}`, stars };
}

function manifest(told: Partial<Manifest> = {}): Manifest {
  return { historyLength: 3, minHistory: 1, minRating: 0, topK: 5, ...told } as Manifest;
}

test('the model reads the latest of what was not rated too low', () => {
  const entries = [entry(1), entry(2), entry(3, 2), entry(4, 3), entry(5)];
  expect(readByModel(entries, manifest()).map(({ movieId }) => movieId)).toEqual([3, 4, 5]);
  const strict = manifest({ minRating: 3 });
  expect(readByModel(entries, strict).map(({ movieId }) => movieId)).toEqual([2, 4, 5]);
});

test('a reason needs an answer without any one movie', () => {
  expect(canExplain([entry(1)], manifest())).toBe(false);
  expect(canExplain([entry(1), entry(2)], manifest())).toBe(true);
  expect(canExplain([entry(1), entry(2, 1)], manifest({ minRating: 3 }))).toBe(false);
  expect(canExplain([entry(1), entry(2)], manifest({ minHistory: 2 }))).toBe(false);
});

test('each movie that is read is left out once, and does not come back as an answer', async () => {
  const asked: unknown[] = [];
  const recommender = {
    bundle: { manifest: manifest() },
    recommend: async (history: number[], request: { ratings: unknown; watched: number[] }) => {
      asked.push([history, request.ratings, request.watched]);
      // Without 4 the movie 9 is not among the answers.
      const movieIds = history.includes(4) ? [9, 8, 7] : [8, 7, 6];
      return { recommendations: movieIds.map((movieId, place) => ({ movieId, score: -place })) };
    },
  } as unknown as Recommender;
  const entries = [entry(1), entry(2), entry(3, 5), entry(4)];
  expect(await explain(recommender, entries, 9)).toEqual({ kind: 'mostly', movieId: 4 });
  expect(asked).toEqual([
    [[1, 2, 3, 4], [null, null, 5, null], []],
    [[1, 3, 4], [null, 5, null], [2]],
    [[1, 2, 4], [null, null, null], [3]],
    [[1, 2, 3], [null, null, 5], [4]],
  ]);
});
