import { BundleError, show } from './errors';

type Fields = Readonly<Record<string, unknown>>;

/** A JSON object, with errors that name file and key. */
export class Reader {
  constructor(
    readonly raw: Fields,
    readonly source: string,
    private readonly prefix = '',
  ) {}

  /** The names of all keys. */
  keys(): string[] {
    return Object.keys(this.raw);
  }

  /** Returns what a key holds, undefined where it is missing. */
  value(key: string): unknown {
    return Object.hasOwn(this.raw, key) ? this.raw[key] : undefined;
  }

  section(key: string): Reader {
    const value = this.present(key);
    if (!isFields(value)) {
      throw this.error(key, `is ${show(value)}, must be an object`);
    }
    return new Reader(value, this.source, `${this.prefix}${key}.`);
  }

  objects(key: string): Reader[] {
    return this.list(key).map((value, index) => {
      if (!isFields(value)) {
        throw this.error(`${key}[${index}]`, 'must be an object');
      }
      return new Reader(value, this.source, `${this.prefix}${key}[${index}].`);
    });
  }

  text(key: string): string {
    const value = this.present(key);
    if (typeof value !== 'string') {
      throw this.error(key, `is ${show(value)}, must be a string`);
    }
    return value;
  }

  texts(key: string): readonly string[] {
    return this.list(key).map((value) => {
      if (typeof value !== 'string') {
        throw this.error(key, 'must hold strings alone');
      }
      return value;
    });
  }

  integer(key: string, minimum: number): number {
    const value = this.present(key);
    if (!Number.isSafeInteger(value)) {
      throw this.error(key, `is ${show(value)}, must be an integer`);
    }
    if ((value as number) < minimum) {
      throw this.error(key, `is ${show(value)}, must be at least ${minimum}`);
    }
    return value as number;
  }

  number(key: string): number {
    const value = this.present(key);
    if (typeof value !== 'number') {
      throw this.error(key, `is ${show(value)}, must be a number`);
    }
    return value;
  }

  choice<Choice extends string>(key: string, allowed: readonly Choice[]): Choice {
    const value = this.text(key);
    const found = allowed.find((choice) => choice === value);
    if (found === undefined) {
      throw this.error(key, `is ${show(value)}, must be one of ${show(allowed)}`);
    }
    return found;
  }

  /** Throws where a key holds anything but `expected`: a scalar, or a list of scalars. */
  expect(key: string, expected: string | number | readonly number[]): void {
    const value = this.value(key);
    if (!same(value, expected)) {
      throw this.error(
        key,
        `is ${show(value)}; this runtime understands ${show(expected)}: use a runtime as new as ` +
          'the bundle',
      );
    }
  }

  error(key: string, problem: string): BundleError {
    return new BundleError(`${this.source}: ${this.prefix}${key} ${problem}`);
  }

  private present(key: string): unknown {
    if (!Object.hasOwn(this.raw, key)) {
      throw this.error(key, 'is missing');
    }
    return this.raw[key];
  }

  private list(key: string): readonly unknown[] {
    const value = this.present(key);
    if (!Array.isArray(value)) {
      throw this.error(key, `is ${show(value)}, must be a list`);
    }
    return value;
  }
}

/** Returns the value of a JSON text; `source` names it in errors. */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BundleError(
      `${source}: not valid JSON (${(error as Error).message}); fetch the bundle again`,
    );
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function same(value: unknown, expected: string | number | readonly number[]): boolean {
  if (!Array.isArray(expected)) {
    return value === expected;
  }
  return (
    Array.isArray(value) &&
    value.length === expected.length &&
    expected.every((item, index) => value[index] === item)
  );
}
