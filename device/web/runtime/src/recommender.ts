import type { Bundle, Movie } from './bundle';
import { encode, type Inputs, padded, withUnknown } from './encode';
import { DeviceError, HistoryError, show } from './errors';
import { makeEvents, secondsOf } from './events';
import { Model } from './litert';
import { checkRanking, firstUnseen, type Ranking } from './ranking';
import { type User, userNumbers } from './users';

/** One recommended movie. */
export interface Recommendation {
  /** The release's own id. */
  readonly movieId: number;
  /** As in the release. */
  readonly title: string;
  /** The model's score; only the order within one answer means something. */
  readonly score: number;
  readonly movie: Movie;
}

/** What is asked beside the history. Each may be left out. */
export interface Request {
  /** Movies wanted, 10 by default; fewer come where most of the model's top K was watched. */
  readonly k?: number;
  /** Movie ids of more that must not be recommended. */
  readonly watched?: Iterable<number>;
  /**
   * Stars of each movie of the history, 0.5 to 5, null where not known. What was rated lower than
   * the bundle's `minRating` is no history, but still left out.
   */
  readonly ratings?: readonly (number | null)[];
  /** When each was watched, seconds since 1970 UTC, null where not known. */
  readonly times?: readonly (number | null)[];
  /** The moment to recommend for, likewise; this one by default. */
  readonly now?: number;
  /**
   * What is known of the user: `user_gender`, `user_age`, `user_occupation`, each a word of the
   * manifest's `categories` or its number from 1.
   */
  readonly user?: User;
}

export interface Answer {
  /** Best first; none was watched. */
  readonly recommendations: readonly Recommendation[];
  /** Of the inference alone. */
  readonly milliseconds: number;
}

export interface RecommenderOptions {
  /** URL of the folder with LiteRT's wasm files. */
  readonly wasmPath: string;
  /** "int8", "float16", ...; by default the one that passed the gate. */
  readonly variant?: string;
}

const DEFAULT_K = 10;
const FIRST_ID = 1;

/** Runs one variant of a bundle's model: history in, unseen movies out. */
export class Recommender {
  #model: Model | undefined;

  private constructor(
    readonly bundle: Bundle,
    readonly variant: string,
    model: Model,
  ) {
    this.#model = model;
  }

  /**
   * Loads LiteRT, where that has not happened yet, and opens the model.
   *
   * @throws WasmError: LiteRT cannot be loaded.
   * @throws BundleError: no such variant, a damaged file, a model that LiteRT.js cannot run, or one
   *   whose inputs and outputs are not those of the manifest.
   */
  static async create(bundle: Bundle, options: RecommenderOptions): Promise<Recommender> {
    const variant = options.variant ?? bundle.manifest.defaultVariant;
    const content = await bundle.model(variant);
    const name = nameOf(bundle, variant);
    const model = await Model.open(content, bundle.manifest, name, options.wasmPath);
    const recommender = new Recommender(bundle, variant, model);
    try {
      await recommender.#tryOut();
    } catch (error) {
      recommender.dispose();
      throw error;
    }
    return recommender;
  }

  /**
   * Returns up to `k` movies, best first, none of which was watched.
   *
   * A model that does not read ratings, times or the user does without; one that does takes what is
   * not given as not known.
   *
   * @param history Movie ids, oldest first. Those that the model does not know are skipped, and the
   *   last N of the rest count.
   * @throws HistoryError: `k` is impossible, the history holds too few known movies, ratings or
   *   times are none, or there is no such category.
   */
  async recommend(history: readonly number[], request: Request = {}): Promise<Answer> {
    const { manifest, movies } = this.bundle;
    const k = request.k ?? DEFAULT_K;
    if (!Number.isInteger(k) || k < 1 || k > manifest.topK) {
      throw new HistoryError(`k is ${show(k)}; this model returns 1 to ${manifest.topK} movies`);
    }
    const past = this.#ids(history);
    const events = makeEvents(past, request.ratings, request.times, manifest.minRating);
    if (events.ids.length < manifest.minHistory) {
      throw new HistoryError(
        `the history holds ${events.ids.length} movie(s) that the model knows, of ` +
          `${history.length} given; it needs at least ${manifest.minHistory}`,
      );
    }
    const moment = secondsOf(request.now ?? thisSecond(), 'now');
    const user = userNumbers(request.user ?? {}, manifest.categories);
    const excluded = new Set([...past, ...this.#ids(request.watched ?? [])]);
    const { context, further } = encode(manifest, events, moment, user);
    const ranking = await this.rank(context, further);
    const recommendations = firstUnseen(ranking, excluded, k).map(({ id, score }) => {
      const movie = movies[id - 1] as Movie;
      return { movieId: movie.movieId, title: movie.title, score, movie };
    });
    return { recommendations, milliseconds: ranking.milliseconds };
  }

  /**
   * Runs the model on one encoded history.
   *
   * @param context The model's ids of the last N movies, padded with 0 on the manifest's side.
   * @param further What is known beside them, by input name; the rest is taken as not known, the
   *   moment to recommend for as this one.
   * @throws HistoryError: an input has another type or length than the model reads.
   * @throws BundleError: LiteRT cannot run the model, or returned no ranking of the vocabulary.
   */
  async rank(context: Int32Array, further: Inputs = new Map()): Promise<Ranking> {
    if (this.#model === undefined) {
      throw new DeviceError('the recommender was disposed of; create another');
    }
    const ranking = await this.#model.run(
      withUnknown(this.bundle.manifest, context, further, thisSecond()),
    );
    checkRanking(ranking, this.bundle.movies.length, nameOf(this.bundle, this.variant));
    return ranking;
  }

  /** Gives the model's memory back; the recommender is of no use afterwards. */
  dispose(): void {
    this.#model?.delete();
    this.#model = undefined;
  }

  /**
   * Where LiteRT.js fails at an operator it may write that to the console alone and return memory
   * that nobody wrote to. A model for which it does so is found out here, and not by a user.
   */
  async #tryOut(): Promise<void> {
    const { historyLength, padding } = this.bundle.manifest;
    await this.rank(padded([FIRST_ID], new Int32Array(historyLength), padding));
  }

  #ids(movieIds: Iterable<number>): number[] {
    return Array.from(movieIds, (movieId) => this.bundle.vocabularyId(movieId));
  }
}

function nameOf(bundle: Bundle, variant: string): string {
  return `${bundle.source}: variant ${show(variant)}`;
}

function thisSecond(): number {
  return Math.floor(Date.now() / 1000);
}
