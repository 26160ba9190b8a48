/** A movie of a ranking. */
export interface Ranked {
  readonly movieId: number;
  readonly score: number;
}

/** The ranking that the model gives without one movie of the history. */
export interface Trial {
  readonly withoutMovieId: number;
  readonly ranking: readonly Ranked[];
}

/** Why a movie is recommended: mostly because of one of the history, or of no single one. */
export type Reason =
  | { readonly kind: 'mostly'; readonly movieId: number }
  | { readonly kind: 'several' };

/** Standard deviations of a ranking's scores that a movie must lose to be worth telling. */
const LEAST_LOSS = 0.25;
/** How many times the second largest loss the largest must be. */
const CLEAR_LEAD = 1.5;

const SEVERAL: Reason = { kind: 'several' };

/**
 * Tells which movie of the history a recommendation rests on, by leaving each of them out.
 *
 * A movie's standing is its score's distance from the ranking's mean, in standard deviations, as
 * scores of two rankings do not compare. What the standing loses without a movie of the history is
 * that movie's share in it; a movie that drops out of the ranking loses all. One is named only if
 * the recommendation ranks lower without it, and if it leads the others clearly.
 *
 * @param movieId The recommended movie.
 * @param whole The ranking after the whole history.
 * @param trials One ranking for each movie of the history left out.
 */
export function reasonFor(
  movieId: number,
  whole: readonly Ranked[],
  trials: readonly Trial[],
): Reason {
  const rank = rankOf(movieId, whole);
  const losses = trials
    .map((trial) => ({
      movieId: trial.withoutMovieId,
      loss: standing(movieId, whole) - standing(movieId, trial.ranking),
      lower: rankOf(movieId, trial.ranking) > rank,
    }))
    .sort((one, other) => descending(one.loss, other.loss));
  const [first, second] = losses;
  if (!first?.lower || first.loss < LEAST_LOSS) {
    return SEVERAL;
  }
  const runnerUp = Math.max(0, second?.loss ?? 0);
  // Two that are each indispensable: neither leads.
  const clear = runnerUp !== Number.POSITIVE_INFINITY && first.loss >= CLEAR_LEAD * runnerUp;
  return clear ? { kind: 'mostly', movieId: first.movieId } : SEVERAL;
}

function standing(movieId: number, ranking: readonly Ranked[]): number {
  const found = ranking.find((ranked) => ranked.movieId === movieId);
  if (!found) {
    return Number.NEGATIVE_INFINITY;
  }
  const mean = ranking.reduce((sum, { score }) => sum + score, 0) / ranking.length;
  const variance =
    ranking.reduce((sum, { score }) => sum + (score - mean) ** 2, 0) / ranking.length;
  return variance === 0 ? 0 : (found.score - mean) / Math.sqrt(variance);
}

function rankOf(movieId: number, ranking: readonly Ranked[]): number {
  const place = ranking.findIndex((ranked) => ranked.movieId === movieId);
  return place < 0 ? ranking.length : place;
}

function descending(one: number, other: number): number {
  return one === other ? 0 : other - one;
}
