import { type Bundle, BundleError, type Recommender, WasmError } from '@pocketrec/runtime';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { Engine } from '../engine/engine';
import { type Kept, keepOffline } from '../engine/offline';

/** What went wrong: in plain words, what may help, and what exactly was said. */
export interface Failure {
  readonly headline: string;
  readonly advice: string;
  readonly detail: string;
}

/** A variant that could not be opened. */
export interface Problem {
  readonly variant: string;
  readonly detail: string;
}

export interface LoadedModel {
  readonly loaded: number;
  readonly total: number;
  readonly failure: Failure | null;
  /** There before the model is. */
  readonly bundle: Bundle | null;
  readonly engine: Engine | null;
  readonly recommender: Recommender | null;
  /** What became of keeping everything on the device; null until that is known. */
  readonly kept: Kept | null;
  /** The variant that is being opened; null where none is. */
  readonly opening: string | null;
  /** Why the last choice could not be opened. */
  readonly problem: Problem | null;
  readonly choose: (variant: string) => void;
}

const LITERT = new URL(LITERT_FOLDER, document.baseURI).href;
const BUNDLE = new URL('bundle/', document.baseURI).href;

/** Loads the model once, then everything that may be asked for later. */
export function useModel(): LoadedModel {
  const [progress, setProgress] = useState({ loaded: 0, total: LITERT_BYTES });
  const [bundle, setBundle] = useState<Bundle | null>(null);
  const [engine, setEngine] = useState<Engine | null>(null);
  const [recommender, setRecommender] = useState<Recommender | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [kept, setKept] = useState<Kept | null>(null);
  const [opening, setOpening] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  useEffect(() => {
    const places = { bundle: BUNDLE, liteRt: LITERT, liteRtBytes: LITERT_BYTES };
    const progress = (loaded: number, total: number): void => setProgress({ loaded, total });
    Engine.load(places, { progress, catalogue: setBundle }).then(
      (loaded) => {
        setEngine(loaded);
        setRecommender(loaded.first);
      },
      (error: unknown) => setFailure(failureOf(error)),
    );
  }, []);

  useEffect(() => {
    if (engine) {
      void engine
        .loadOtherVariants()
        .then(() => keepOffline(LITERT))
        .then(setKept);
    }
  }, [engine]);

  const choose = useCallback(
    async (variant: string): Promise<void> => {
      if (!engine || opening !== null || variant === recommender?.variant) {
        return;
      }
      setOpening(variant);
      setProblem(null);
      try {
        const opened = await engine.open(variant);
        setRecommender(opened);
        recommender?.dispose();
      } catch (error) {
        setProblem({ variant, detail: wordsOf(error) });
      } finally {
        setOpening(null);
      }
    },
    [engine, opening, recommender],
  );

  return {
    ...progress,
    failure,
    bundle,
    engine,
    recommender,
    kept,
    opening,
    problem,
    choose: (variant) => void choose(variant),
  };
}

function failureOf(error: unknown): Failure {
  const detail = wordsOf(error);
  if (error instanceof WasmError) {
    return {
      headline: 'This browser cannot run the model',
      advice:
        'Either it is too old for the WebAssembly that LiteRT needs, or LiteRT’s files did not ' +
        'arrive. A newer browser may help, or loading the page again.',
      detail,
    };
  }
  if (error instanceof BundleError) {
    return {
      headline: 'The model’s files are damaged or missing',
      advice: 'Loading the page again may help. If not, the files have to be exported anew.',
      detail,
    };
  }
  return {
    headline: 'PocketRec could not start',
    advice: 'Loading the page again may help.',
    detail,
  };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
