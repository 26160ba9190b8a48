import { createHash } from 'node:crypto';
import type { FileReader } from '../src/files.ts';

/** A bundle's files, written by hand; its models are no models. */
export type Files = Map<string, Uint8Array<ArrayBuffer>>;

// biome-ignore lint/suspicious/noExplicitAny: tests break manifests in every way.
export type Json = any;

export const LENGTH = 4;
export const TOP_K = 5;

const TITLES = ['Toy Story (1995)', 'Matrix, The (1999)', 'Heat (1995)'];

/** The release's id of the movie with the model's id `number`; falls where that rises. */
export function rawId(number: number): number {
  return 100 - 7 * number;
}

export function catalogue(): Json[] {
  return TITLES.map((title, index) => ({
    id: index + 1,
    movie_id: rawId(index + 1),
    title,
    genres: index === 0 ? ['Animation', 'Comedy'] : [],
    year: index === 1 ? null : 1995,
    count: 30 - index,
  }));
}

/** A manifest without its list of files. */
export function manifest(further: Json[] = []): Json {
  return {
    format: 'pocketrec-bundle',
    format_version: 1,
    bundle_id: 'abc',
    model_name: 'pocketrec',
    encoder: 'bow',
    signature: {
      name: 'serving_default',
      inputs: [
        {
          name: 'context_movie_id',
          dtype: 'int32',
          shape: [-1, LENGTH],
          order: 'oldest_first',
          padding: { id: 0, sides: ['left', 'right'] },
        },
        ...further,
      ],
      outputs: [
        { name: 'top_prediction_ids', dtype: 'int32', shape: [-1, TOP_K] },
        { name: 'top_prediction_scores', dtype: 'float32', shape: [-1, TOP_K] },
      ],
    },
    history: { length: LENGTH, padding: 'left', min_history: 1, min_rating: 0 },
    top_k: TOP_K,
    vocabulary: { file: 'vocabulary.json' },
    catalogue: { file: 'catalogue.json' },
    variants: { float32: 'float32.tflite', int8: 'int8.tflite' },
    default_variant: 'int8',
  };
}

/** Inputs of a model that reads ratings, times and the user's gender. */
export function furtherInputs(): Json[] {
  const ofEvents = {
    shape: [-1, LENGTH],
    order: 'oldest_first',
    padding: { value: 0, like: 'context_movie_id' },
    unknown: 0,
  };
  const ofRequests = { dtype: 'int32', shape: [-1, 1], unknown: 0 };
  return [
    { name: 'context_rating', dtype: 'float32', ...ofEvents },
    { name: 'context_timestamp', dtype: 'int32', ...ofEvents },
    { name: 'request_timestamp', ...ofRequests },
    { name: 'user_gender', ...ofRequests, categories: ['F', 'M'] },
  ];
}

/** A whole bundle of these contents, with the digests that they have. */
export function files(
  contents: { manifest?: Json; vocabulary?: Json; catalogue?: Json } = {},
  further: Files = new Map(),
): Files {
  const files: Files = new Map([
    ['vocabulary.json', json(contents.vocabulary ?? [1, 2, 3].map(rawId))],
    ['catalogue.json', json(contents.catalogue ?? catalogue())],
    ['float32.tflite', new TextEncoder().encode('a model')],
    ['int8.tflite', new TextEncoder().encode('another model')],
    ['android/config.json', json({})],
    ...further,
  ]);
  const listed = Object.fromEntries(
    Array.from(files, ([name, content]) => [
      name,
      { sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length },
    ]),
  );
  files.set('manifest.json', json({ ...(contents.manifest ?? manifest()), files: listed }));
  return files;
}

export function edited(files: Files, change: (manifest: Json) => void): Files {
  const changed = JSON.parse(new TextDecoder().decode(files.get('manifest.json')));
  change(changed);
  return new Map(files).set('manifest.json', json(changed));
}

export function reader(files: Files): FileReader {
  return async (name) => {
    const content = files.get(name);
    if (content === undefined) {
      throw new Error('no such file');
    }
    return content;
  };
}

export function json(value: Json): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
