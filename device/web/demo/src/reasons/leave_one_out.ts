import type { Manifest, Recommender } from '@pocketrec/runtime';
import type { Entry } from '../state/history';
import { type Ranked, type Reason, reasonFor, type Trial } from './reason';

/** Returns the movies of a history that the model reads: the latest of those not rated too low. */
export function readByModel(entries: readonly Entry[], manifest: Manifest): readonly Entry[] {
  const { historyLength, minRating } = manifest;
  return entries.filter(({ stars }) => stars === null || stars >= minRating).slice(-historyLength);
}

/** Tells whether the model still answers when any one movie is left out. */
export function canExplain(entries: readonly Entry[], manifest: Manifest): boolean {
  return readByModel(entries, manifest).length > Math.max(1, manifest.minHistory);
}

/**
 * Runs the model once for the history and once without each movie of it, and tells the reason.
 *
 * @param recommender The model.
 * @param entries The history, oldest first, see `canExplain`.
 * @param movieId The recommended movie.
 */
export async function explain(
  recommender: Recommender,
  entries: readonly Entry[],
  movieId: number,
): Promise<Reason> {
  const whole = await rankAfter(recommender, entries, null);
  const trials: Trial[] = [];
  for (const left of readByModel(entries, recommender.bundle.manifest)) {
    const ranking = await rankAfter(recommender, entries, left.movieId);
    trials.push({ withoutMovieId: left.movieId, ranking });
  }
  return reasonFor(movieId, whole, trials);
}

async function rankAfter(
  recommender: Recommender,
  entries: readonly Entry[],
  withoutMovieId: number | null,
): Promise<readonly Ranked[]> {
  const kept = entries.filter((entry) => entry.movieId !== withoutMovieId);
  const answer = await recommender.recommend(
    kept.map((entry) => entry.movieId),
    {
      k: recommender.bundle.manifest.topK,
      ratings: kept.map((entry) => entry.stars),
      // What is left out was watched all the same, and takes no other movie's place.
      watched: withoutMovieId === null ? [] : [withoutMovieId],
    },
  );
  return answer.recommendations;
}
