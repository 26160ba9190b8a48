import type { Movie } from '@pocketrec/runtime';
import { useRef } from 'preact/hooks';
import { shownTitle, spokenTitle } from '../text/title';
import { focusNear } from './focus';
import { PlusIcon } from './icons';

interface Props {
  readonly movies: readonly Movie[];
  /** Whether there is a list already, so that these are no longer what matters. */
  readonly isLater: boolean;
  readonly onPick: (movie: Movie) => void;
}

/** Movies that many watched, to start from. */
export function Popular({ movies, isLater, onPick }: Props) {
  const list = useRef<HTMLUListElement>(null);
  return (
    <div class={isLater ? 'popular popular-later' : 'popular'}>
      <h3 id="popular-title">Seen by many: tap what you watched</h3>
      <ul class="chips" ref={list} aria-labelledby="popular-title">
        {movies.map((movie, place) => {
          const shown = shownTitle(movie.title, movie.year);
          return (
            <li key={movie.movieId}>
              <button
                type="button"
                class="chip"
                aria-label={`Add ${spokenTitle(shown)}`}
                onClick={() => {
                  onPick(movie);
                  focusNear(list, '.chip', place);
                }}
              >
                <PlusIcon />
                <span class="chip-title">{shown.name}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
