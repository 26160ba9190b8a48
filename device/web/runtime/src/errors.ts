/** Base of every error of the runtime; the message says what to do about it. */
export class DeviceError extends Error {
  override readonly name: string = 'DeviceError';
}

/** A bundle that is missing, damaged, or made for another version of the runtime. */
export class BundleError extends DeviceError {
  override readonly name = 'BundleError';
}

/** A request that the model cannot serve. */
export class HistoryError extends DeviceError {
  override readonly name = 'HistoryError';
}

/** A movie that the model does not know. */
export class TitleError extends DeviceError {
  override readonly name = 'TitleError';
}

/** LiteRT itself cannot be loaded: its files are not served, or the browser cannot run them. */
export class WasmError extends DeviceError {
  override readonly name = 'WasmError';
}

/** Returns a value as messages show it: 'text', 5, [1, 'two'], missing. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return `'${value}'`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(show).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    return JSON.stringify(value);
  }
  return value === undefined ? 'missing' : String(value);
}

/** Returns what an error of any kind says; LiteRT.js throws the event of a script that is missing. */
export function reason(error: unknown): string {
  if (error instanceof Event) {
    return 'its script does not load';
  }
  return error instanceof Error ? error.message : String(error);
}
