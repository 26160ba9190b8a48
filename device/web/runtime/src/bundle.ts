import { BundleError, reason, show, TitleError } from './errors';
import type { FileReader } from './files';
import { isGzipped, unzipped } from './gzipped';
import { isFields, parseJson, Reader } from './json';
import { MANIFEST_FILE, type Manifest, parseManifest, UNKNOWN } from './manifest';

/** One movie of the model's vocabulary. */
export interface Movie {
  /** The model's id, from 1. */
  readonly id: number;
  /** The release's own id. */
  readonly movieId: number;
  /** As in the release, "Matrix, The (1999)". */
  readonly title: string;
  /** As in the release, may be empty. */
  readonly genres: readonly string[];
  /** Of the first showing, null where the title tells none. */
  readonly year: number | null;
  /** Ratings in the training data. */
  readonly count: number;
}

type Content = Uint8Array<ArrayBuffer>;

/** A loaded bundle: the model's variants, its vocabulary and catalogue, each checked when read. */
export class Bundle {
  /** Where the bundle comes from, for messages. */
  readonly source: string;
  readonly manifest: Manifest;
  /** The vocabulary; `movies[i]` has the model's id i + 1. */
  readonly movies: readonly Movie[];

  readonly #files: CheckedFiles;
  readonly #idOf: ReadonlyMap<number, number>;

  private constructor(files: CheckedFiles, movies: readonly Movie[]) {
    this.source = files.source;
    this.manifest = files.manifest;
    this.movies = movies;
    this.#files = files;
    this.#idOf = new Map(movies.map((movie) => [movie.movieId, movie.id]));
  }

  /**
   * Reads manifest, vocabulary and catalogue of a bundle.
   *
   * @param read How the bundle's files are had; `httpFiles` makes one that fetches them.
   * @param source Where they come from, for messages.
   * @throws BundleError: there is no bundle, a file is missing or differs from its digest, or this
   *   runtime does not understand what the manifest says.
   */
  static async load(read: FileReader, source = 'bundle'): Promise<Bundle> {
    const manifestSource = `${source}/${MANIFEST_FILE}`;
    let content: Content;
    try {
      content = await read(MANIFEST_FILE);
    } catch (error) {
      throw new BundleError(
        `${source}: no bundle (it has no ${MANIFEST_FILE} that can be read: ${reason(error)})`,
      );
    }
    const manifest = parseManifest(decode(content, manifestSource), manifestSource);
    const files = new CheckedFiles(read, manifest, source);
    const [vocabulary, catalogue] = await Promise.all([
      files.json(manifest.vocabularyFile),
      files.json(manifest.catalogueFile),
    ]);
    const movies = readMovies(catalogue, `${source}/${manifest.catalogueFile}`);
    if (!isVocabularyOf(vocabulary, movies)) {
      throw new BundleError(
        `${source}: ${manifest.catalogueFile} and ${manifest.vocabularyFile} disagree on the order ` +
          'of movies; the titles would be wrong',
      );
    }
    return new Bundle(files, movies);
  }

  /** Returns the model's id of a raw movie id, 0 where the model does not know it. */
  vocabularyId(movieId: number): number {
    return this.#idOf.get(movieId) ?? UNKNOWN;
  }

  /**
   * Returns the movie with a raw movie id.
   *
   * @throws TitleError: the model does not know the id.
   */
  movie(movieId: number): Movie {
    const movie = this.movies[this.vocabularyId(movieId) - 1];
    if (movie === undefined) {
      throw new TitleError(`the model does not know a movie with id ${movieId}`);
    }
    return movie;
  }

  /**
   * Returns the content of one of the bundle's files.
   *
   * @throws BundleError: the file is not listed, missing, or differs from its digest.
   */
  read(name: string): Promise<Content> {
    return this.#files.read(name);
  }

  /**
   * Returns the `.tflite` of a variant; by default of the one that passed the gate. A gzipped one
   * is unzipped: what is returned can run.
   *
   * @throws BundleError: no such variant, or the file is missing, differs from its digest or cannot
   *   be unzipped.
   */
  async model(variant?: string): Promise<Content> {
    const { variants, defaultVariant } = this.manifest;
    const wanted = variant ?? defaultVariant;
    const file = variants.get(wanted);
    if (file === undefined) {
      throw new BundleError(
        `${this.source}: no variant ${show(wanted)}; it has ${show([...variants.keys()].sort())}`,
      );
    }
    const content = await this.read(file);
    if (!isGzipped(file)) {
      return content;
    }
    try {
      return await unzipped(content);
    } catch (error) {
      throw new BundleError(
        `${this.source}/${file}: not a gzip file (${reason(error)}); fetch the bundle again`,
      );
    }
  }

  /**
   * Reads every listed file.
   *
   * @throws BundleError: one is missing or differs from its digest.
   */
  async verify(): Promise<void> {
    for (const name of this.manifest.files.keys()) {
      await this.read(name);
    }
  }
}

/** Files of a bundle, each compared with its digest. */
class CheckedFiles {
  constructor(
    private readonly readFile: FileReader,
    readonly manifest: Manifest,
    readonly source: string,
  ) {}

  async read(name: string): Promise<Content> {
    const path = `${this.source}/${name}`;
    const entry = this.manifest.files.get(name);
    if (entry === undefined) {
      throw new BundleError(`${this.source}: ${show(name)} is not listed in ${MANIFEST_FILE}`);
    }
    let content: Content;
    try {
      content = await this.readFile(name);
    } catch (error) {
      throw new BundleError(`${path}: cannot be read (${reason(error)}); fetch the bundle again`);
    }
    const digest = await sha256(content, path);
    if (digest !== entry.sha256) {
      throw new BundleError(
        `${path}: sha256 is ${digest}, ${MANIFEST_FILE} says ${entry.sha256}: the file is damaged ` +
          'or was changed; fetch the bundle again',
      );
    }
    return content;
  }

  async json(name: string): Promise<unknown> {
    const path = `${this.source}/${name}`;
    return parseJson(decode(await this.read(name), path), path);
  }
}

async function sha256(content: Content, path: string): Promise<string> {
  // Browsers keep WebCrypto from pages that came over plain http.
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (subtle === undefined) {
    throw new BundleError(
      `${path}: cannot be checked, as browsers compute digests only on pages from https or ` +
        'localhost; serve the app that way',
    );
  }
  const digest = new Uint8Array(await subtle.digest('SHA-256', content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function decode(content: Content, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw new BundleError(`${path}: cannot be read (it is not UTF-8); fetch the bundle again`);
  }
}

function readMovies(catalogue: unknown, source: string): readonly Movie[] {
  if (!Array.isArray(catalogue)) {
    throw new BundleError(`${source}: not a catalogue (it must hold a list)`);
  }
  return catalogue.map((entry: unknown, index) => {
    if (!isFields(entry)) {
      throw new BundleError(`${source}: not a catalogue ([${index}] must be an object)`);
    }
    const reader = new Reader(entry, source, `[${index}].`);
    const id = reader.integer('id', 0);
    if (id !== index + 1) {
      throw new BundleError(`${source}: entry ${index + 1} has id ${id}; ids must be 1, 2, 3, ...`);
    }
    return {
      id,
      movieId: reader.integer('movie_id', Number.MIN_SAFE_INTEGER),
      title: reader.text('title'),
      genres: reader.texts('genres'),
      year: reader.value('year') === null ? null : reader.integer('year', 0),
      count: reader.integer('count', 0),
    };
  });
}

function isVocabularyOf(vocabulary: unknown, movies: readonly Movie[]): boolean {
  return (
    Array.isArray(vocabulary) &&
    vocabulary.length === movies.length &&
    movies.every((movie, index) => movie.movieId === vocabulary[index])
  );
}
