import type { Entry } from './history';

/** What is needed of localStorage. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const KEY = 'pocketrec.history';
const VERSION = 1;

/** Returns the browser's storage, null where it is denied. */
export function openStore(): Store | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

/** Returns the kept history; empty where none is kept or it cannot be read. */
export function readEntries(store: Store | null): readonly Entry[] {
  try {
    const kept: unknown = JSON.parse(store?.getItem(KEY) ?? 'null');
    return isKept(kept) ? kept.entries : [];
  } catch {
    return [];
  }
}

/** Keeps a history; tells whether the browser did. */
export function writeEntries(store: Store | null, entries: readonly Entry[]): boolean {
  try {
    if (entries.length === 0) {
      store?.removeItem(KEY);
    } else {
      store?.setItem(KEY, JSON.stringify({ version: VERSION, entries }));
    }
    return store !== null;
  } catch {
    return false;
  }
}

function isKept(value: unknown): value is { readonly entries: readonly Entry[] } {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const { version, entries } = value as { version?: unknown; entries?: unknown };
  return version === VERSION && Array.isArray(entries) && entries.every(isEntry);
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const { movieId, title, stars } = value as Record<keyof Entry, unknown>;
  return (
    Number.isSafeInteger(movieId) &&
    typeof title === 'string' &&
    (stars === null || (Number.isInteger(stars) && Number(stars) >= 1 && Number(stars) <= 5))
  );
}
