import { BundleError } from './errors';

/** The model's answer to one history: K ids of its vocabulary with their scores, falling. */
export interface Ranking {
  readonly ids: Int32Array;
  readonly scores: Float32Array;
  /** Of the inference alone. */
  readonly milliseconds: number;
}

export interface Scored {
  readonly id: number;
  readonly score: number;
}

/**
 * Refuses what is no ranking of a vocabulary.
 *
 * @param movies The vocabulary's size; its ids begin at 1.
 * @param name What to call the model in errors.
 * @throws BundleError: an id is not of the vocabulary, or the scores do not fall.
 */
export function checkRanking({ ids, scores }: Ranking, movies: number, name: string): void {
  const lowest = Math.min(...ids);
  const highest = Math.max(...ids);
  if (lowest < 1 || highest > movies) {
    throw new BundleError(
      `${name} returned ids from ${lowest} to ${highest}, the vocabulary holds 1 to ${movies}: ` +
        'model and vocabulary do not belong together, or LiteRT.js cannot run the model',
    );
  }
  // A score that is not a number is neither higher nor lower.
  const place = scores.findIndex((score, index) => !(score <= (scores[index - 1] ?? Infinity)));
  if (place !== -1) {
    throw new BundleError(
      `${name} returned scores that do not fall (${scores[place]} at place ${place + 1}): it is ` +
        'damaged, or LiteRT.js cannot run it',
    );
  }
}

/** Returns the first `k` that are not excluded, in the order of the ranking. */
export function firstUnseen(
  { ids, scores }: Pick<Ranking, 'ids' | 'scores'>,
  excluded: ReadonlySet<number>,
  k: number,
): Scored[] {
  const found: Scored[] = [];
  for (const [place, id] of ids.entries()) {
    if (found.length === k) {
      break;
    }
    if (!excluded.has(id)) {
      found.push({ id, score: scores[place] as number });
    }
  }
  return found;
}
