/** Base of every error of the runtime; the message says what to do about it. */
export declare class DeviceError extends Error {}
/** A bundle that is missing, damaged, or made for another version of the runtime. */
export declare class BundleError extends DeviceError {}
/** A request that the model cannot serve. */
export declare class HistoryError extends DeviceError {}
/** No movie of the catalogue. */
export declare class TitleError extends DeviceError {}
/** LiteRT itself cannot be loaded: its files are not served, or the browser cannot run them. */
export declare class WasmError extends DeviceError {}

export interface Movie {
  readonly id: number;
  readonly movieId: number;
  readonly title: string;
  readonly genres: readonly string[];
  readonly year: number | null;
  readonly count: number;
}

export interface TensorSpec {
  readonly dtype: 'int32' | 'float32';
  readonly width: number;
}

export interface FileEntry {
  readonly sha256: string;
  readonly bytes: number;
}

export interface Manifest {
  readonly bundleId: string;
  readonly modelName: string;
  readonly encoder: string;
  readonly historyLength: number;
  readonly padding: 'left' | 'right';
  readonly minHistory: number;
  readonly minRating: number;
  readonly furtherInputs: ReadonlyMap<string, TensorSpec>;
  readonly categories: ReadonlyMap<string, readonly string[]>;
  readonly topK: number;
  readonly variants: ReadonlyMap<string, string>;
  readonly defaultVariant: string;
  readonly vocabularyFile: string;
  readonly catalogueFile: string;
  readonly files: ReadonlyMap<string, FileEntry>;
  readonly raw: unknown;
}

export declare function parseManifest(text: string, source: string): Manifest;

/** Returns the content of one of the bundle's files; rejects where there is none. */
export type FileReader = (name: string) => Promise<Uint8Array<ArrayBuffer>>;
export declare function httpFiles(baseUrl: string | URL): FileReader;

export declare class Bundle {
  private constructor();
  static load(read: FileReader, source?: string): Promise<Bundle>;
  readonly source: string;
  readonly manifest: Manifest;
  readonly movies: readonly Movie[];
  /** The model's id of a raw movie id, 0 where the model does not know it. */
  vocabularyId(movieId: number): number;
  /** Throws TitleError where the model does not know the id. */
  movie(movieId: number): Movie;
  read(name: string): Promise<Uint8Array<ArrayBuffer>>;
  model(variant?: string): Promise<Uint8Array<ArrayBuffer>>;
}

export interface Recommendation {
  readonly movieId: number;
  readonly title: string;
  readonly score: number;
  readonly movie: Movie;
}

export interface Request {
  readonly k?: number;
  readonly watched?: Iterable<number>;
  readonly ratings?: readonly (number | null)[];
  readonly times?: readonly (number | null)[];
  readonly now?: number;
  readonly user?: Readonly<Record<string, string | number | null>>;
}

export interface Answer {
  readonly recommendations: readonly Recommendation[];
  /** Of the inference alone. */
  readonly milliseconds: number;
}

/** The model's whole answer: ids of its vocabulary and scores, falling. */
export interface Ranking {
  readonly ids: Int32Array;
  readonly scores: Float32Array;
  readonly milliseconds: number;
}

export interface RecommenderOptions {
  /** URL of the folder with LiteRT's wasm files. */
  readonly wasmPath: string;
  readonly variant?: string;
}

export declare class Recommender {
  private constructor();
  static create(bundle: Bundle, options: RecommenderOptions): Promise<Recommender>;
  readonly bundle: Bundle;
  readonly variant: string;
  recommend(history: readonly number[], request?: Request): Promise<Answer>;
  rank(
    context: Int32Array,
    further?: ReadonlyMap<string, Int32Array | Float32Array>,
  ): Promise<Ranking>;
  dispose(): void;
}

/** For a search box: as people type, best first. */
export declare class TitleSearch {
  constructor(movies: Iterable<Movie>);
  search(text: string, limit?: number): Movie[];
}
