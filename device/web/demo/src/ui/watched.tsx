import { useRef, useState } from 'preact/hooks';
import type { Action, Entry, History } from '../state/history';
import { shownTitle, spokenTitle } from '../text/title';
import { focusNear } from './focus';
import { CrossIcon } from './icons';

const FEW = 3;
const STARS = [1, 2, 3, 4, 5] as const;

interface Props {
  readonly history: History;
  /** Whether the model reads ratings. */
  readonly isRated: boolean;
  /** The latest movies that the model reads. */
  readonly historyLength: number;
  readonly dispatch: (action: Action) => void;
}

/** The history, newest first: one wants to see what was added last. */
export function Watched({ history, isRated, historyLength, dispatch }: Props) {
  const [showsAll, setShowsAll] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  const { entries, before } = history;
  const newest = [...entries].reverse();

  return (
    <div class="watched">
      {entries.length > 0 && (
        <div class="row-heading">
          <h3>
            Your list <span class="count">{entries.length}</span>
          </h3>
          <button
            type="button"
            class="text-button"
            onClick={() => {
              dispatch({ kind: 'clear' });
              focusNear(list, '.remove', 0, '.undo');
            }}
          >
            Clear all
          </button>
        </div>
      )}
      {before !== null && (
        <p class="undo-bar">
          <span>{entries.length === 0 ? 'Your list is empty.' : 'Removed from your list.'}</span>
          <button type="button" class="text-button undo" onClick={() => dispatch({ kind: 'undo' })}>
            Undo
          </button>
        </p>
      )}
      {entries.length > 0 && (
        <ul class="entries" ref={list} aria-label="Movies that you watched, newest first">
          {newest.slice(0, showsAll ? undefined : FEW).map((entry, place) => (
            <Row
              key={entry.movieId}
              entry={entry}
              isRated={isRated}
              onRate={(stars) => dispatch({ kind: 'rate', movieId: entry.movieId, stars })}
              onRemove={() => {
                dispatch({ kind: 'remove', movieId: entry.movieId });
                focusNear(list, '.remove', place, '.undo');
              }}
            />
          ))}
        </ul>
      )}
      {entries.length > FEW && (
        <button
          type="button"
          class="text-button"
          aria-expanded={showsAll}
          onClick={() => setShowsAll(!showsAll)}
        >
          {showsAll ? `Show the latest ${FEW}` : `Show all ${entries.length}`}
        </button>
      )}
      {entries.length > historyLength && (
        <p class="hint">The model reads the latest {historyLength} of them.</p>
      )}
    </div>
  );
}

interface RowProps {
  readonly entry: Entry;
  readonly isRated: boolean;
  readonly onRate: (stars: number | null) => void;
  readonly onRemove: () => void;
}

function Row({ entry, isRated, onRate, onRemove }: RowProps) {
  const shown = shownTitle(entry.title, null);
  const spoken = spokenTitle(shown);
  return (
    <li class="entry">
      <span class="entry-title">
        {shown.name} {shown.year !== null && <span class="year">{shown.year}</span>}
      </span>
      {isRated && (
        <select
          class={entry.stars === null ? 'stars' : 'stars stars-given'}
          aria-label={`Your rating of ${spoken}`}
          value={entry.stars ?? ''}
          onChange={(event) => onRate(Number(event.currentTarget.value) || null)}
        >
          <option value="">Not rated</option>
          {STARS.map((stars) => (
            <option key={stars} value={stars} aria-label={`${stars} of 5 stars`}>
              {'★'.repeat(stars)}
            </option>
          ))}
        </select>
      )}
      <button
        type="button"
        class="icon-button remove"
        aria-label={`Remove ${spoken}`}
        onClick={onRemove}
      >
        <CrossIcon />
      </button>
    </li>
  );
}
