import { HistoryError, type Recommendation, type Recommender } from '@pocketrec/runtime';
import { useEffect, useState } from 'preact/hooks';
import type { Entry } from '../state/history';

const MOST = 50;
/** Name of each answer among the browser's own measurements, for who looks into them. */
const MEASURED_AS = 'pocketrec answer';

/** What the model says to a history. */
export interface GivenAnswer {
  readonly recommendations: readonly Recommendation[];
  readonly variant: string;
}

/** What was measured during this visit. */
export interface Measured {
  readonly answer: GivenAnswer | null;
  /** Why there is none, where the history is not to the model's liking. */
  readonly refusal: string | null;
  /** Milliseconds of each inference, by variant. */
  readonly inferences: ReadonlyMap<string, readonly number[]>;
  /** Milliseconds from the start of the visit to the first answer; null before it. */
  readonly firstAnswer: number | null;
}

/** Asks the model anew whenever the history or the model changes. */
export function useAnswer(recommender: Recommender | null, entries: readonly Entry[]): Measured {
  const [measured, setMeasured] = useState<Measured>({
    answer: null,
    refusal: null,
    inferences: new Map(),
    firstAnswer: null,
  });

  useEffect(() => {
    if (!recommender) {
      return undefined;
    }
    if (entries.length === 0) {
      // The recommender has tried itself out, so it is as ready as if it had been asked.
      setMeasured((before) => ({ ...before, ...withoutAnswer(null), ...first(before) }));
      return undefined;
    }
    let isStale = false;
    const start = performance.now();
    ask(recommender, entries).then(
      ({ recommendations, milliseconds }) => {
        const { variant } = recommender;
        performance.measure(MEASURED_AS, { start, detail: { variant, milliseconds } });
        setMeasured((before) => ({
          answer: isStale ? before.answer : { recommendations, variant },
          refusal: null,
          inferences: new Map(before.inferences).set(variant, [
            ...(before.inferences.get(variant) ?? []),
            milliseconds,
          ]),
          ...first(before),
        }));
      },
      (error: unknown) => {
        if (!isStale) {
          setMeasured((before) => ({ ...before, ...withoutAnswer(wordsOf(error)) }));
        }
      },
    );
    return () => {
      isStale = true;
    };
  }, [recommender, entries]);

  return measured;
}

function ask(recommender: Recommender, entries: readonly Entry[]) {
  return recommender.recommend(
    entries.map((entry) => entry.movieId),
    {
      k: Math.min(MOST, recommender.bundle.manifest.topK),
      ratings: entries.map((entry) => entry.stars),
    },
  );
}

function withoutAnswer(refusal: string | null) {
  return { answer: null, refusal };
}

function first(before: Measured) {
  return { firstAnswer: before.firstAnswer ?? performance.now() };
}

function wordsOf(error: unknown): string {
  if (error instanceof HistoryError) {
    return 'The model needs more movies that it knows and that you did not rate low.';
  }
  return error instanceof Error ? error.message : String(error);
}
