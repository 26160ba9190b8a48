import { HistoryError, show } from './errors';
import type { Events } from './events';
import {
  type DType,
  HISTORY_INPUT,
  type Manifest,
  RATING_INPUT,
  REQUEST_TIME_INPUT,
  TIME_INPUT,
  UNKNOWN,
} from './manifest';

export type Values = Int32Array | Float32Array;

/** What a model reads of one history, by input name. */
export type Inputs = ReadonlyMap<string, Values>;

export interface Encoded {
  /** The model's ids of the last N movies. */
  readonly context: Int32Array;
  /** Everything that a model may read beside them. */
  readonly further: Inputs;
}

/**
 * Cuts and pads what an app knows for a request.
 *
 * @param now The moment to recommend for, seconds since 1970 UTC.
 * @param user Numbers of categories by input name.
 */
export function encode(
  shape: Pick<Manifest, 'historyLength' | 'padding'>,
  events: Events,
  now: number,
  user: ReadonlyMap<string, number>,
): Encoded {
  const further = new Map<string, Values>([
    [RATING_INPUT, padded(events.ratings, new Float32Array(shape.historyLength), shape.padding)],
    [TIME_INPUT, padded(events.times, new Int32Array(shape.historyLength), shape.padding)],
    [REQUEST_TIME_INPUT, Int32Array.of(now)],
  ]);
  for (const [name, number] of user) {
    further.set(name, Int32Array.of(number));
  }
  const context = padded(events.ids, new Int32Array(shape.historyLength), shape.padding);
  return { context, further };
}

/** Writes the last values into a row of zeros, so that what is left of it lies on side `padding`. */
export function padded<Row extends Values>(
  values: readonly number[],
  row: Row,
  padding: 'left' | 'right',
): Row {
  const kept = values.slice(-row.length);
  row.set(kept, padding === 'left' ? row.length - kept.length : 0);
  return row;
}

/**
 * Returns what the model reads and nothing else; what is not given is not known, and `now` the
 * moment of the request.
 *
 * @throws HistoryError: an input has another type or length.
 */
export function withUnknown(
  { historyLength, furtherInputs }: Pick<Manifest, 'historyLength' | 'furtherInputs'>,
  context: Int32Array,
  further: Inputs,
  now: number,
): Map<string, Values> {
  checkRow(HISTORY_INPUT, context, 'int32', historyLength);
  const inputs = new Map<string, Values>([[HISTORY_INPUT, context]]);
  for (const [name, { dtype, width }] of furtherInputs) {
    const given = further.get(name);
    if (given === undefined) {
      const row = dtype === 'int32' ? new Int32Array(width) : new Float32Array(width);
      inputs.set(name, row.fill(name === REQUEST_TIME_INPUT ? now : UNKNOWN));
    } else {
      checkRow(name, given, dtype, width);
      inputs.set(name, given);
    }
  }
  return inputs;
}

function checkRow(name: string, row: Values, dtype: DType, width: number): void {
  const found: DType = row instanceof Int32Array ? 'int32' : 'float32';
  if (found !== dtype || row.length !== width) {
    throw new HistoryError(
      `${name} is ${found} ${show([row.length])}, must be ${dtype} ${show([width])}`,
    );
  }
}
