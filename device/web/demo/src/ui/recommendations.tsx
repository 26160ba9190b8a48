import type { Movie, Recommendation } from '@pocketrec/runtime';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Reason } from '../reasons/reason';
import { shownTitle, spokenTitle } from '../text/title';
import { focusNear } from './focus';
import { PlusIcon } from './icons';

const FIRST = 10;
const MORE = 20;

interface Props {
  readonly recommendations: readonly Recommendation[];
  /** Tells why one is there; null where leaving out a movie would leave too few. */
  readonly explain: ((movieId: number) => Promise<Reason>) | null;
  /** The title of a movie of the history. */
  readonly titleOf: (movieId: number) => string;
  readonly onPick: (movie: Movie) => void;
  readonly announce: (text: string) => void;
}

/** The model's answer. */
export function Recommendations(props: Props) {
  const { recommendations, onPick } = props;
  const [limit, setLimit] = useState(FIRST);
  const list = useRef<HTMLOListElement>(null);
  const shown = recommendations.slice(0, limit);
  if (shown.length === 0) {
    return <p class="state">All that the model has to say now is in your list already.</p>;
  }
  return (
    <>
      <ol class="recommendations" ref={list}>
        {shown.map(({ movie }, place) => (
          <Card
            key={movie.movieId}
            movie={movie}
            place={place + 1}
            explain={props.explain}
            titleOf={props.titleOf}
            announce={props.announce}
            onPick={() => {
              onPick(movie);
              focusNear(list, '.pick', place);
            }}
          />
        ))}
      </ol>
      {recommendations.length > limit && (
        <button
          type="button"
          class="button show-more"
          onClick={() => {
            setLimit(limit + MORE);
            focusNear(list, '.pick', limit);
          }}
        >
          Show more
        </button>
      )}
    </>
  );
}

interface CardProps {
  readonly movie: Movie;
  readonly place: number;
  readonly explain: Props['explain'];
  readonly titleOf: Props['titleOf'];
  readonly announce: Props['announce'];
  readonly onPick: () => void;
}

function Card({ movie, place, explain, titleOf, announce, onPick }: CardProps) {
  const [reason, setReason] = useState<string | null>(null);
  // Another history or another variant: another reason.
  useEffect(() => setReason(null), [explain]);
  const shown = shownTitle(movie.title, movie.year);
  const spoken = spokenTitle(shown);
  const details = [shown.year ?? '', movie.genres.join(', ')].filter(String).join(' · ');
  const ask = async (): Promise<void> => {
    const found = await explain?.(movie.movieId);
    const text =
      found?.kind === 'mostly'
        ? `Mostly because you watched ${titleOf(found.movieId)}.`
        : 'No single movie of your list stands out.';
    setReason(text);
    announce(text);
  };
  return (
    <li class="card">
      <span class="place" aria-hidden="true">
        {place}
      </span>
      <div>
        <p class="card-title">{shown.name}</p>
        {details && <p class="card-details">{details}</p>}
      </div>
      {explain ? (
        <button
          type="button"
          class="text-button why"
          aria-label={`Why ${spoken}?`}
          aria-expanded={reason !== null}
          onClick={() => (reason === null ? void ask() : setReason(null))}
        >
          Why?
        </button>
      ) : (
        <span />
      )}
      <button
        type="button"
        class="icon-button pick"
        aria-label={`Add ${spoken} to your list`}
        onClick={onPick}
      >
        <PlusIcon />
      </button>
      {reason !== null && <p class="reason">{reason}</p>}
    </li>
  );
}
