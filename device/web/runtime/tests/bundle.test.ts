import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { Bundle } from '../src/bundle.ts';
import { BundleError, DeviceError, TitleError } from '../src/errors.ts';
import * as toy from './toy.ts';

function load(files: toy.Files): Promise<Bundle> {
  return Bundle.load(toy.reader(files), 'shelf');
}

type Change = (manifest: toy.Json) => void;
type Key = string | number;

function put(value: unknown, ...keys: Key[]): Change {
  return (manifest) => {
    const last = keys.at(-1) as Key;
    keys.slice(0, -1).reduce((inner, key) => inner[key], manifest)[last] = value;
  };
}

function remove(...keys: Key[]): Change {
  return (manifest) => {
    const last = keys.at(-1) as Key;
    delete keys.slice(0, -1).reduce((inner, key) => inner[key], manifest)[last];
  };
}

/** Flips one bit. */
function damaged(files: toy.Files, name: string, at: number): toy.Files {
  const content = (files.get(name) as Uint8Array).slice();
  content.set([(content.at(at) as number) ^ 1], at < 0 ? content.length + at : at);
  return new Map(files).set(name, content);
}

test('sections that this runtime does not know are no obstacle', async () => {
  const told = toy.edited(toy.files(), (manifest) => {
    manifest.variant_figures = { int8: { file: 'int8.tflite', recall_at_10: 0.25 } };
    manifest.variants_left_out = { int4: 'it lost too much' };
  });
  const { manifest } = await load(told);
  expect([...manifest.variants.keys()]).toEqual(['float32', 'int8']);
  expect(manifest.raw).toMatchObject({ variants_left_out: { int4: 'it lost too much' } });
});

test('a whole bundle is read', async () => {
  const bundle = await load(toy.files());
  await bundle.verify();
  expect(bundle.manifest).toMatchObject({
    bundleId: 'abc',
    modelName: 'pocketrec',
    encoder: 'bow',
    historyLength: toy.LENGTH,
    padding: 'left',
    minHistory: 1,
    minRating: 0,
    topK: toy.TOP_K,
    defaultVariant: 'int8',
    furtherInputs: new Map(),
    categories: new Map(),
  });
  expect([...bundle.manifest.variants.keys()]).toEqual(['float32', 'int8']);
  expect(bundle.movies).toHaveLength(3);
  expect(bundle.movies[1]).toEqual({
    id: 2,
    movieId: toy.rawId(2),
    title: 'Matrix, The (1999)',
    genres: [],
    year: null,
    count: 29,
  });
  expect(bundle.vocabularyId(toy.rawId(3))).toBe(3);
  expect(bundle.vocabularyId(999_999)).toBe(0);
  expect(bundle.movie(toy.rawId(3)).title).toBe('Heat (1995)');
  expect(new TextDecoder().decode(await bundle.model())).toBe('another model');
  expect(new TextDecoder().decode(await bundle.model('float32'))).toBe('a model');
});

test('a model may read ratings, times and the user', async () => {
  const { manifest } = await load(toy.files({ manifest: toy.manifest(toy.furtherInputs()) }));
  expect(manifest.furtherInputs).toEqual(
    new Map([
      ['context_rating', { dtype: 'float32', width: toy.LENGTH }],
      ['context_timestamp', { dtype: 'int32', width: toy.LENGTH }],
      ['request_timestamp', { dtype: 'int32', width: 1 }],
      ['user_gender', { dtype: 'int32', width: 1 }],
    ]),
  );
  expect(manifest.categories).toEqual(new Map([['user_gender', ['F', 'M']]]));
});

test('a folder without manifest is no bundle', async () => {
  await expect(load(new Map())).rejects.toThrow(/^shelf: no bundle.*manifest\.json.*no such file/);
});

test('a cut manifest is refused', async () => {
  const files = toy.files();
  files.set('manifest.json', (files.get('manifest.json') as toy.Json).slice(0, 100));
  await expect(load(files)).rejects.toThrow(/shelf\/manifest\.json: not valid JSON/);
});

test.each([
  ['[1]', /must hold an object, holds \[1\]/],
  ['null', /must hold an object, holds null/],
])('a manifest that is no object is refused: %s', async (text, message) => {
  const files = toy.files().set('manifest.json', new TextEncoder().encode(text));
  await expect(load(files)).rejects.toThrow(message);
});

test.each([
  [put('other', 'format'), /format is 'other'/],
  [put(3, 'format_version'), /format_version is 3; this runtime reads 1 and 2: use/],
  [put('7', 'top_k'), /top_k is '7', must be an integer/],
  [put(1.5, 'top_k'), /top_k is 1\.5, must be an integer/],
  [put(0, 'history', 'length'), /history\.length is 0, must be at least 1/],
  [put('both', 'history', 'padding'), /history\.padding is 'both'/],
  [put([], 'history'), /history is \[\], must be an object/],
  [remove('bundle_id'), /bundle_id is missing/],
  [remove('history', 'min_rating'), /history\.min_rating is missing/],
  [put('3', 'history', 'min_rating'), /history\.min_rating is '3', must be a number/],
  [put('int4', 'default_variant'), /default_variant is 'int4', variants are \['float32', 'int8'\]/],
  [put('predict', 'signature', 'name'), /signature is 'predict'/],
  [put('int64', 'signature', 'inputs', 0, 'dtype'), /dtype is 'int64'.*understands 'int32'/],
  [put([1, 4], 'signature', 'inputs', 0, 'shape'), /shape is \[1, 4\].*\[-1, 4\]/],
  [put('newest_first', 'signature', 'inputs', 0, 'order'), /order is 'newest_first'/],
  [put(-1, 'signature', 'inputs', 0, 'padding', 'id'), /padding\.id is -1/],
  [put(7, 'signature', 'inputs', 0), /signature\.inputs\[0\] must be an object/],
  [put([], 'signature', 'inputs'), /the model takes \[\]; this runtime feeds context_movie_id/],
  [put('scores', 'signature', 'outputs', 1, 'name'), /'top_prediction_scores' is missing/],
  [put([-1, 9], 'signature', 'outputs', 0, 'shape'), /shape is \[-1, 9\].*\[-1, 5\]/],
  [put('../x.tflite', 'variants', 'int8'), /'\.\.\/x\.tflite' is referred to but not listed/],
  [remove('files', 'catalogue.json'), /'catalogue\.json' is referred to but not listed/],
  [put('abc', 'files', 'int8.tflite', 'sha256'), /must be 64 hex digits/],
  [put(-1, 'files', 'int8.tflite', 'bytes'), /files\.int8\.tflite\.bytes is -1/],
  ...['../../passwd', '/etc/passwd', 'a//b', 'a/./b', 'a\\b'].map(
    (name) =>
      [
        put({ sha256: '0'.repeat(64), bytes: 1 }, 'files', name),
        /points outside of the bundle/,
      ] as const,
  ),
] as const)('what is not understood is refused: %#, %s', async (change, message) => {
  const files = toy.edited(toy.files(), change);
  await expect(load(files)).rejects.toThrow(BundleError);
  await expect(load(files)).rejects.toThrow(message);
});

test('an input that the runtime cannot feed is refused', async () => {
  const files = toy.edited(toy.files(), ({ signature }) => {
    signature.inputs.push({ ...signature.inputs[0], name: 'context_mood' });
  });
  await expect(load(files)).rejects.toThrow(/context_mood.*runtime as new as the bundle/);
});

test.each([
  [put('int32', 'signature', 'inputs', 1, 'dtype'), /dtype is 'int32'.*'float32'/],
  [put([-1, 1], 'signature', 'inputs', 2, 'shape'), /shape is \[-1, 1\].*\[-1, 4\]/],
  [put([-1, 4], 'signature', 'inputs', 3, 'shape'), /shape is \[-1, 4\].*\[-1, 1\]/],
  [put(-1, 'signature', 'inputs', 3, 'unknown'), /unknown is -1/],
  [put(9, 'signature', 'inputs', 1, 'padding', 'value'), /padding\.value is 9/],
  [remove('signature', 'inputs', 2, 'order'), /order is missing; this runtime understands/],
  [remove('signature', 'inputs', 4, 'categories'), /categories is missing/],
  [put(['F', 2], 'signature', 'inputs', 4, 'categories'), /must hold strings alone/],
])('a further input that is not understood is refused: %#, %s', async (change, message) => {
  const whole = toy.files({ manifest: toy.manifest(toy.furtherInputs()) });
  await expect(load(toy.edited(whole, change))).rejects.toThrow(message);
});

describe('files', () => {
  test.each(['vocabulary.json', 'catalogue.json'])('a changed byte is found at load: %s', (name) =>
    expect(load(damaged(toy.files(), name, 2))).rejects.toThrow(
      new RegExp(`shelf/${name}: sha256 is [0-9a-f]{64}, .*fetch the bundle again`),
    ),
  );

  test.each(['int8.tflite', 'android/config.json'])(
    'a changed byte is found when the file is read: %s',
    async (name) => {
      const bundle = await load(damaged(toy.files(), name, -1));
      await expect(bundle.read(name)).rejects.toThrow(`shelf/${name}: sha256 is `);
      await expect(bundle.verify()).rejects.toThrow(`shelf/${name}: sha256 is `);
    },
  );

  test('a missing file is named', async () => {
    const files = toy.files();
    files.delete('float32.tflite');
    const bundle = await load(files);
    await expect(bundle.model('float32')).rejects.toThrow(
      'shelf/float32.tflite: cannot be read (no such file); fetch the bundle again',
    );
  });

  test('a file that is not listed is not read', async () => {
    const bundle = await load(toy.files());
    await expect(bundle.read('manifest.json')).rejects.toThrow(/'manifest\.json' is not listed/);
  });

  test('an unknown variant is named with those there are', async () => {
    const bundle = await load(toy.files());
    await expect(bundle.model('int4')).rejects.toThrow(/no variant 'int4'.*\['float32', 'int8'\]/);
  });

  test('where the browser computes no digests, nothing is taken on trust', async () => {
    vi.stubGlobal('crypto', {});
    try {
      await expect(load(toy.files())).rejects.toThrow(
        /vocabulary\.json: cannot be checked.*https or localhost/,
      );
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe('movies', () => {
  const whole = toy.catalogue();
  const ids = [1, 2, 3].map(toy.rawId);

  test.each([
    ['titles one place off', { vocabulary: [...ids.slice(1), ...ids.slice(0, 1)] }, /disagree/],
    ['a longer vocabulary', { vocabulary: [...ids, 5] }, /disagree on the order of movies/],
    ['a vocabulary that is none', { vocabulary: { length: 3 } }, /disagree/],
    ['a gap', { catalogue: whole.slice(1) }, /entry 1 has id 2; ids must be 1, 2, 3/],
    ['no list', { catalogue: {} }, /shelf\/catalogue\.json: not a catalogue/],
    ['no movie', { catalogue: [3] }, /not a catalogue \(\[0\] must be an object\)/],
    ['no title', { catalogue: [{ ...whole[0], title: 7 }] }, /\[0\]\.title is 7, must be a string/],
    ['no year', { catalogue: [{ ...whole[0], year: '95' }] }, /\[0\]\.year is '95'/],
  ])('%s: refused', async (_, contents, message) => {
    await expect(load(toy.files(contents))).rejects.toThrow(message);
  });

  test('a movie that the model does not know is an error of its own', async () => {
    const bundle = await load(toy.files());
    expect(() => bundle.movie(999_999)).toThrow(TitleError);
    expect(() => bundle.movie(999_999)).toThrow(DeviceError);
    expect(() => bundle.movie(999_999)).toThrow('does not know a movie with id 999999');
  });
});

describe('gzipped models', () => {
  function gzipped(content: Uint8Array): Promise<Bundle> {
    const manifest = toy.manifest();
    manifest.format_version = 2;
    manifest.variants.int8 = 'int8.tflite.gz';
    return load(toy.files({ manifest }, new Map([['int8.tflite.gz', new Uint8Array(content)]])));
  }

  test('are unzipped when they are read', async () => {
    const bundle = await gzipped(gzipSync('another model'));
    expect(new TextDecoder().decode(await bundle.model())).toBe('another model');
    expect(new TextDecoder().decode(await bundle.model('float32'))).toBe('a model');
    expect((await bundle.read('int8.tflite.gz')).slice(0, 2)).toEqual(new Uint8Array([31, 139]));
  });

  test.each([
    ['no gzip file', new TextEncoder().encode('another model')],
    ['cut off', gzipSync('another model').subarray(0, -3)],
  ])('are refused where they are %s', async (_, content) => {
    const bundle = await gzipped(content);
    await expect(bundle.model()).rejects.toThrow(
      /^shelf\/int8\.tflite\.gz: not a gzip file .*fetch the bundle again$/,
    );
  });
});
