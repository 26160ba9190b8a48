/** One movie that was watched. */
export interface Entry {
  readonly movieId: number;
  /** As in the release: an id alone means another movie in another release. */
  readonly title: string;
  /** 1 to 5, null where not rated. */
  readonly stars: number | null;
}

/** A history, and what one step back would be. */
export interface History {
  /** In the order they were added, oldest first. */
  readonly entries: readonly Entry[];
  /** The entries before the last removal; null after anything else. */
  readonly before: readonly Entry[] | null;
}

export type Action =
  | { readonly kind: 'add'; readonly movieId: number; readonly title: string }
  | { readonly kind: 'remove'; readonly movieId: number }
  | { readonly kind: 'rate'; readonly movieId: number; readonly stars: number | null }
  | { readonly kind: 'clear' }
  | { readonly kind: 'undo' }
  | { readonly kind: 'forget' }
  | { readonly kind: 'restore'; readonly entries: readonly Entry[] };

export const EMPTY: History = { entries: [], before: null };

/** Returns the history after an action; the same object where nothing changes. */
export function reduce(history: History, action: Action): History {
  const { entries, before } = history;
  switch (action.kind) {
    case 'add': {
      const { movieId, title } = action;
      return has(history, movieId)
        ? history
        : { entries: [...entries, { movieId, title, stars: null }], before: null };
    }
    case 'remove': {
      const kept = entries.filter((entry) => entry.movieId !== action.movieId);
      return kept.length === entries.length ? history : { entries: kept, before: entries };
    }
    case 'rate':
      return {
        entries: entries.map((entry) =>
          entry.movieId === action.movieId ? { ...entry, stars: action.stars } : entry,
        ),
        before: null,
      };
    case 'clear':
      return entries.length === 0 ? history : { entries: [], before: entries };
    case 'undo':
      return before === null ? history : { entries: before, before: null };
    case 'forget':
      return EMPTY;
    case 'restore': {
      // What was tapped while the page was still loading comes after what was kept.
      const added = entries.filter(
        (entry) => !action.entries.some((kept) => kept.movieId === entry.movieId),
      );
      return { entries: [...action.entries, ...added], before: null };
    }
  }
}

/** Tells whether a movie is in the history. */
export function has(history: History, movieId: number): boolean {
  return history.entries.some((entry) => entry.movieId === movieId);
}
