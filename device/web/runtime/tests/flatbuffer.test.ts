import { expect, test } from 'vitest';
import { keepsState, withBatchOfOne } from '../src/flatbuffer.ts';

/**
 * A model's skeleton, written by hand: one subgraph with a tensor that has the shape [1, 10] and the
 * shape signature [-1], and another one without fields.
 *
 * Numbers are little-endian 32-bit; `half` packs two of 16 bits.
 */
function skeleton(): Int32Array {
  const half = (low: number, high: number) => low + high * 65536;
  return Int32Array.of(
    // 0: the root's offset; "TFL3".
    ...[24, 0x334c4654],
    // 8: the model's vtable: 10 bytes, its table 8, fields 0 and 1 not set, field 2 at 4.
    ...[half(10, 8), half(0, 0), half(4, 0), 0],
    // 24: the model: back to its vtable; the vector of subgraphs at 32.
    ...[24 - 8, 4],
    // 32: one subgraph, at 48.
    ...[1, 12],
    // 40: the subgraph's vtable: 6 bytes, its table 8, field 0 at 4.
    ...[half(6, 8), half(4, 0)],
    // 48: the subgraph: its vtable; the vector of tensors at 56.
    ...[48 - 40, 4],
    // 56: two tensors, at 88 and 120.
    ...[2, 88 - 60, 120 - 64],
    // 68: the first tensor's vtable: 20 bytes, its table 12, field 0 at 4, field 7 at 8.
    ...[half(20, 12), half(4, 0), half(0, 0), half(0, 0), half(0, 8)],
    // 88: the first tensor: its vtable; its shape at 100, its signature at 112.
    ...[88 - 68, 100 - 92, 112 - 96],
    // 100: the shape [1, 10].
    ...[2, 1, 10],
    // 112: the signature [-1].
    ...[1, -1],
    // 120: the second tensor: its vtable at 124, without fields.
    ...[120 - 124, half(4, 4)],
  );
}

test('-1 becomes 1, and nothing else changes', () => {
  const words = skeleton();
  const expected = words.slice();
  expected[words.indexOf(-1)] = 1;
  const file = new Uint8Array(words.buffer);
  const pinned = withBatchOfOne(file);
  expect(Array.from(new Int32Array(pinned.slice().buffer))).toEqual(Array.from(expected));
  expect(Array.from(file)).toEqual(Array.from(new Uint8Array(skeleton().buffer)));
});

test('a file within a larger buffer is read at its place', () => {
  const whole = new Uint8Array(4 + skeleton().byteLength);
  whole.set(new Uint8Array(skeleton().buffer), 4);
  expect(withBatchOfOne(whole.subarray(4))).toEqual(
    withBatchOfOne(new Uint8Array(skeleton().buffer)),
  );
});

test.each([0, 4, 7, 20, 40, 60, 90, 116])('a file cut after %s bytes is refused', (length) => {
  const cut = new Uint8Array(skeleton().buffer).slice(0, length);
  expect(() => withBatchOfOne(cut)).toThrow(RangeError);
  expect(() => keepsState(cut)).toThrow(RangeError);
});

test('a model with a variable tensor keeps state, another one does not', () => {
  const words = skeleton();
  expect(keepsState(new Uint8Array(words.buffer))).toBe(false);
  // Field 5 of the first tensor, in the upper half of the vtable's fourth number, points to the
  // place of its shape, whose lowest byte is not 0.
  words[20] = 4 * 65536;
  expect(keepsState(new Uint8Array(words.buffer))).toBe(true);
});

test('another format is refused', () => {
  expect(() => withBatchOfOne(new TextEncoder().encode('not a model at all'))).toThrow(
    'no .tflite',
  );
});
