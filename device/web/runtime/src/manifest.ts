import { BundleError, show } from './errors';
import { isFields, parseJson, Reader } from './json';

export const MANIFEST_FILE = 'manifest.json';
export const SIGNATURE = 'serving_default';
export const HISTORY_INPUT = 'context_movie_id';
export const RATING_INPUT = 'context_rating';
export const TIME_INPUT = 'context_timestamp';
export const REQUEST_TIME_INPUT = 'request_timestamp';
export const IDS_OUTPUT = 'top_prediction_ids';
export const SCORES_OUTPUT = 'top_prediction_scores';

/** What stands for anything that is not known, a movie too. */
export const UNKNOWN = 0;

/** Each takes the number of a category, from 1. */
export const USER_INPUTS: readonly string[] = ['user_gender', 'user_age', 'user_occupation'];

const FORMAT = 'pocketrec-bundle';
/** Bundles of version 2 may hold gzipped models. */
const FORMAT_VERSIONS: readonly unknown[] = [1, 2];
const OLDEST_FIRST = 'oldest_first';
const SHA256 = /^[0-9a-f]{64}$/;

export type DType = 'int32' | 'float32';

/** Type of an input, and the values that it takes of one history. */
export interface TensorSpec {
  readonly dtype: DType;
  readonly width: number;
}

/** What the manifest says of one file. */
export interface FileEntry {
  /** Hexadecimal digest of the content. */
  readonly sha256: string;
  /** Size of the content. */
  readonly bytes: number;
}

/** A checked manifest. */
export interface Manifest {
  /** Digest that names the bundle's content. */
  readonly bundleId: string;
  /** The model's name in the registry that it came from. */
  readonly modelName: string;
  /** The kind of network, "mixer", "transformer", ...; empty where the bundle does not tell. */
  readonly encoder: string;
  /** N, the ids that the model takes. */
  readonly historyLength: number;
  /** Side on which a short history is filled. */
  readonly padding: 'left' | 'right';
  /** Known movies that a history needs. */
  readonly minHistory: number;
  /** Stars; what was rated lower is no part of a history. */
  readonly minRating: number;
  /** What the model reads beside the ids, by input name. */
  readonly furtherInputs: ReadonlyMap<string, TensorSpec>;
  /** Of those of the user: the words, the first one being number 1. */
  readonly categories: ReadonlyMap<string, readonly string[]>;
  /** K, the ids and scores that the model returns. */
  readonly topK: number;
  /** File name by variant name. */
  readonly variants: ReadonlyMap<string, string>;
  /** The variant that passed the gate. */
  readonly defaultVariant: string;
  /** File with the raw movie ids, in the order of the model's ids. */
  readonly vocabularyFile: string;
  /** File with titles, genres and years. */
  readonly catalogueFile: string;
  /** Digest and size by file name. */
  readonly files: ReadonlyMap<string, FileEntry>;
  /** The whole manifest as read. */
  readonly raw: unknown;
}

interface FurtherInput {
  readonly dtype: DType;
  /** There is a value an event; otherwise one a request. */
  readonly perEvent: boolean;
}

const FURTHER_INPUTS: ReadonlyMap<string, FurtherInput> = new Map<string, FurtherInput>([
  [RATING_INPUT, { dtype: 'float32', perEvent: true }],
  [TIME_INPUT, { dtype: 'int32', perEvent: true }],
  [REQUEST_TIME_INPUT, { dtype: 'int32', perEvent: false }],
  ...USER_INPUTS.map((name) => [name, { dtype: 'int32', perEvent: false }] as const),
]);

/**
 * Reads a manifest and refuses what this runtime does not understand.
 *
 * @param text JSON.
 * @param source The file's address, for messages.
 * @throws BundleError: not JSON, another format or version, a missing or impossible entry, or a
 *   signature that this runtime cannot serve.
 */
export function parseManifest(text: string, source: string): Manifest {
  const raw = parseJson(text, source);
  if (!isFields(raw)) {
    throw new BundleError(`${source}: must hold an object, holds ${show(raw)}`);
  }
  const reader = new Reader(raw, source);
  if (reader.value('format') !== FORMAT) {
    throw reader.error('format', `is ${show(reader.value('format'))}, must be ${show(FORMAT)}`);
  }
  if (!FORMAT_VERSIONS.includes(reader.value('format_version'))) {
    throw reader.error(
      'format_version',
      `is ${show(reader.value('format_version'))}; this runtime reads ` +
        `${FORMAT_VERSIONS.join(' and ')}: use a runtime as new as the bundle, or an older bundle`,
    );
  }
  const history = reader.section('history');
  const signature = reader.section('signature');
  const historyLength = history.integer('length', 1);
  const topK = reader.integer('top_k', 1);
  const furtherInputs = checkedSignature(signature, historyLength, topK);
  const files = listedFiles(reader.section('files'));
  const named = reader.section('variants');
  const variants = new Map(named.keys().map((name) => [name, named.text(name)]));
  const defaultVariant = reader.text('default_variant');
  if (!variants.has(defaultVariant)) {
    throw reader.error(
      'default_variant',
      `is ${show(defaultVariant)}, variants are ${show([...variants.keys()].sort())}`,
    );
  }
  const manifest: Manifest = {
    bundleId: reader.text('bundle_id'),
    modelName: reader.text('model_name'),
    encoder: reader.value('encoder') === undefined ? '' : reader.text('encoder'),
    historyLength,
    padding: history.choice('padding', ['left', 'right']),
    minHistory: history.integer('min_history', 1),
    minRating: history.number('min_rating'),
    furtherInputs,
    categories: new Map(
      signature
        .objects('inputs')
        .filter((entry) => USER_INPUTS.includes(entry.text('name')))
        .map((entry) => [entry.text('name'), entry.texts('categories')]),
    ),
    topK,
    variants,
    defaultVariant,
    vocabularyFile: reader.section('vocabulary').text('file'),
    catalogueFile: reader.section('catalogue').text('file'),
    files,
    raw,
  };
  for (const name of [...variants.values(), manifest.vocabularyFile, manifest.catalogueFile]) {
    if (!files.has(name)) {
      throw new BundleError(`${source}: ${show(name)} is referred to but not listed under files`);
    }
  }
  return manifest;
}

function listedFiles(section: Reader): Map<string, FileEntry> {
  const files = new Map<string, FileEntry>();
  for (const name of section.keys()) {
    const parts = name.split('/');
    if (name.includes('\\') || parts.some((part) => ['', '.', '..'].includes(part))) {
      throw new BundleError(
        `${section.source}: file name ${show(name)} points outside of the bundle`,
      );
    }
    const entry = section.section(name);
    const sha256 = entry.text('sha256');
    if (!SHA256.test(sha256)) {
      throw entry.error('sha256', `is ${show(sha256)}, must be 64 hex digits`);
    }
    files.set(name, { sha256, bytes: entry.integer('bytes', 0) });
  }
  return files;
}

/** Returns the further inputs of a signature that this runtime can serve. */
function checkedSignature(
  section: Reader,
  historyLength: number,
  topK: number,
): Map<string, TensorSpec> {
  const name = section.text('name');
  if (name !== SIGNATURE) {
    throw new BundleError(
      `${section.source}: signature is ${show(name)}, must be ${show(SIGNATURE)}`,
    );
  }
  const inputs = byName(section.objects('inputs'));
  const history = inputs.get(HISTORY_INPUT);
  if (history === undefined) {
    throw unservable(section, [...inputs.keys()]);
  }
  history.expect('dtype', 'int32');
  history.expect('shape', [-1, historyLength]);
  history.expect('order', OLDEST_FIRST);
  history.section('padding').expect('id', UNKNOWN);
  const further = new Map<string, TensorSpec>();
  for (const [name, entry] of inputs) {
    if (entry === history) {
      continue;
    }
    const input = FURTHER_INPUTS.get(name);
    if (input === undefined) {
      throw unservable(section, [...inputs.keys()]);
    }
    further.set(name, checkedInput(entry, input, input.perEvent ? historyLength : 1));
  }
  checkOutputs(byName(section.objects('outputs')), section.source, topK);
  return further;
}

function checkedInput(entry: Reader, { dtype, perEvent }: FurtherInput, width: number): TensorSpec {
  entry.expect('dtype', dtype);
  entry.expect('shape', [-1, width]);
  entry.expect('unknown', UNKNOWN);
  if (perEvent) {
    entry.expect('order', OLDEST_FIRST);
    entry.section('padding').expect('value', UNKNOWN);
    entry.section('padding').expect('like', HISTORY_INPUT);
  }
  return { dtype, width };
}

function checkOutputs(outputs: ReadonlyMap<string, Reader>, source: string, topK: number): void {
  for (const [name, dtype] of [
    [IDS_OUTPUT, 'int32'],
    [SCORES_OUTPUT, 'float32'],
  ] as const) {
    const entry = outputs.get(name);
    if (entry === undefined) {
      throw new BundleError(
        `${source}: the model returns ${show([...outputs.keys()].sort())}, ${show(name)} is missing`,
      );
    }
    entry.expect('dtype', dtype);
    entry.expect('shape', [-1, topK]);
  }
}

function unservable({ source }: Reader, taken: readonly string[]): BundleError {
  return new BundleError(
    `${source}: the model takes ${show(taken)}; this runtime feeds ${HISTORY_INPUT}, ` +
      `and of others ${show([...FURTHER_INPUTS.keys()])}: use a runtime as new as the bundle`,
  );
}

function byName(entries: readonly Reader[]): Map<string, Reader> {
  return new Map(entries.map((entry) => [entry.text('name'), entry]));
}
