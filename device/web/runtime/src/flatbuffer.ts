/**
 * Gives a model the batch of one, in the bytes of its file.
 *
 * A bundle's models take batches of any size: the shapes in their files hold -1 there. LiteRT.js
 * 2.5.3 takes tensors of exactly the shape that the file says, so that such a model accepts none.
 * Beside each such shape the file holds the same one for the batch of one, which nothing else than
 * the -1 tells from a fixed shape.
 *
 * Layout: the flatbuffers format, and LiteRT's schema, where a model's third field are its
 * subgraphs, a subgraph's first its tensors, and a tensor's eighth its shape with -1; its sixth tells
 * whether it is variable.
 *
 * @param model A `.tflite` file; it is left as it is.
 * @throws RangeError: the file is cut, or none of this format.
 */
export function withBatchOfOne(model: Uint8Array): Uint8Array {
  const pinned = model.slice();
  const view = viewOf(pinned);
  for (const tensor of tensors(view)) {
    for (const position of elements(view, tensor, SHAPE_SIGNATURE)) {
      if (view.getInt32(position, true) === ANY_SIZE) {
        view.setInt32(position, 1, true);
      }
    }
  }
  return pinned;
}

/**
 * Tells whether a model keeps values from one run to the next, in variable tensors.
 *
 * @param model A `.tflite` file.
 * @throws RangeError: the file is cut, or none of this format.
 */
export function keepsState(model: Uint8Array): boolean {
  const view = viewOf(model);
  return Array.from(tensors(view)).some((tensor) => {
    const position = fieldPosition(view, tensor, IS_VARIABLE);
    return position !== undefined && view.getUint8(position) !== 0;
  });
}

const IDENTIFIER_AT = 4;
// "TFL3" as a little-endian number.
const IDENTIFIER = 0x334c4654;
const ANY_SIZE = -1;
const SUBGRAPHS = 2;
const TENSORS = 0;
const IS_VARIABLE = 5;
const SHAPE_SIGNATURE = 7;

function viewOf(model: Uint8Array): DataView {
  const view = new DataView(model.buffer, model.byteOffset, model.byteLength);
  if (view.getUint32(IDENTIFIER_AT, true) !== IDENTIFIER) {
    throw new RangeError('no .tflite file');
  }
  return view;
}

/** Positions of all tensors of all subgraphs. */
function* tensors(view: DataView): Generator<number> {
  for (const subgraph of tables(view, follow(view, 0), SUBGRAPHS)) {
    yield* tables(view, subgraph, TENSORS);
  }
}

/** Positions of the tables that a vector of tables refers to. */
function* tables(view: DataView, table: number, field: number): Generator<number> {
  for (const position of elements(view, table, field)) {
    yield follow(view, position);
  }
}

/** Positions of a vector's elements of four bytes; none where the field is not set. */
function* elements(view: DataView, table: number, field: number): Generator<number> {
  const position = fieldPosition(view, table, field);
  if (position === undefined) {
    return;
  }
  const vector = follow(view, position);
  const length = view.getUint32(vector, true);
  for (let index = 1; index <= length; index++) {
    yield vector + 4 * index;
  }
}

/** A table begins with the way back to its vtable: two sizes, then each field's distance. */
function fieldPosition(view: DataView, table: number, field: number): number | undefined {
  const vtable = table - view.getInt32(table, true);
  const entry = 4 + 2 * field;
  const distance = entry < view.getUint16(vtable, true) ? view.getUint16(vtable + entry, true) : 0;
  return distance === 0 ? undefined : table + distance;
}

function follow(view: DataView, position: number): number {
  return position + view.getUint32(position, true);
}
