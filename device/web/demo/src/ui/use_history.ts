import type { Bundle } from '@pocketrec/runtime';
import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import { type Action, EMPTY, type History, reduce } from '../state/history';
import { openStore, readEntries, writeEntries } from '../state/storage';

/** The history; `isKept` tells whether the browser keeps it beyond this page. */
export interface KeptHistory {
  readonly history: History;
  readonly isKept: boolean;
  readonly dispatch: (action: Action) => void;
}

/** Takes up the kept history once the catalogue is there, and keeps it from then on. */
export function useHistory(bundle: Bundle | null): KeptHistory {
  const [store] = useState(openStore);
  const [history, dispatch] = useReducer(reduce, EMPTY);
  const [isRestored, setRestored] = useState(false);
  const [isKept, setKept] = useState(store !== null);

  useEffect(() => {
    if (bundle) {
      const titles = new Map(bundle.movies.map(({ movieId, title }) => [movieId, title]));
      // An id of another bundle may be another movie here.
      const known = readEntries(store).filter(
        ({ movieId, title }) => titles.get(movieId) === title,
      );
      dispatch({ kind: 'restore', entries: known });
      setRestored(true);
    }
  }, [bundle, store]);

  // With the change itself: who taps and leaves at once finds the tap again.
  useLayoutEffect(() => {
    if (isRestored) {
      setKept(writeEntries(store, history.entries));
    }
  }, [history.entries, isRestored, store]);

  return { history, isKept, dispatch };
}
