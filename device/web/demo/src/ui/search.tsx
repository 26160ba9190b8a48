import type { Movie, TitleSearch } from '@pocketrec/runtime';
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import { counted } from '../text/format';
import { shownTitle } from '../text/title';
import { CheckIcon, SearchIcon } from './icons';

const MOST_RESULTS = 8;
const NONE = -1;

interface Props {
  readonly titles: TitleSearch;
  readonly isWatched: (movieId: number) => boolean;
  readonly onPick: (movie: Movie) => void;
  readonly announce: (text: string) => void;
}

/** A combobox after the ARIA Authoring Practices: the focus stays in the field. */
export function Search({ titles, isWatched, onPick, announce }: Props) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [text, setText] = useState('');
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(NONE);
  const found = useMemo(() => titles.search(text, MOST_RESULTS), [titles, text]);
  const isShown = isOpen && text.trim() !== '';
  const hasResults = isShown && found.length > 0;

  useEffect(() => {
    if (isShown) {
      announce(
        found.length === 0
          ? 'No movie found.'
          : `${counted(found.length, 'movie')} found; the arrow keys choose, Enter adds.`,
      );
    }
  }, [isShown, found, announce]);

  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: 'nearest' });
  }, [active]);

  const close = (): void => {
    setOpen(false);
    setActive(NONE);
  };
  const pick = (movie: Movie | undefined): void => {
    if (movie && !isWatched(movie.movieId)) {
      onPick(movie);
      setText('');
      close();
      field.current?.focus();
    }
  };
  const moveTo = (place: number): void => {
    setOpen(true);
    setActive(found.length === 0 ? NONE : (place + found.length) % found.length);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') {
      event.preventDefault();
      moveTo(active + 1);
    } else if (event.key === 'ArrowUp') {
      event.preventDefault();
      moveTo(active === NONE ? NONE : active - 1);
    } else if (event.key === 'Enter' && isShown) {
      pick(found[Math.max(active, 0)]);
    } else if (event.key === 'Escape' && isShown) {
      close();
    } else if (event.key === 'Escape') {
      setText('');
    }
  };

  return (
    <div class="search">
      <label class="field-label" for={`${id}-field`}>
        Search by title
      </label>
      <div class="field">
        <SearchIcon />
        <input
          ref={field}
          id={`${id}-field`}
          type="text"
          role="combobox"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="Part of a title will do"
          enterkeyhint="done"
          aria-autocomplete="list"
          aria-expanded={hasResults}
          aria-controls={`${id}-list`}
          aria-activedescendant={hasResults && active !== NONE ? `${id}-${active}` : undefined}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setOpen(true);
            setActive(NONE);
          }}
          onFocus={() => setOpen(true)}
          onBlur={close}
          onKeyDown={onKeyDown}
        />
      </div>
      <div
        ref={list}
        id={`${id}-list`}
        class="results"
        role="listbox"
        aria-label="Movies found"
        hidden={!hasResults}
      >
        {found.map((movie, place) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field hears the keys
          <div
            key={movie.movieId}
            id={`${id}-${place}`}
            role="option"
            class="result"
            aria-selected={place === active}
            aria-disabled={isWatched(movie.movieId)}
            // The field keeps the focus: its blur would close the list before the click.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => pick(movie)}
          >
            <Result movie={movie} isWatched={isWatched(movie.movieId)} />
          </div>
        ))}
      </div>
      {isShown && found.length === 0 && (
        <p class="results results-none">No movie of the catalogue is called that.</p>
      )}
    </div>
  );
}

function Result({ movie, isWatched }: { movie: Movie; isWatched: boolean }) {
  const { name, year } = shownTitle(movie.title, movie.year);
  return (
    <>
      <span class="result-title">
        {name} {year !== null && <span class="year">{year}</span>}
      </span>
      {isWatched && (
        <span class="result-note">
          <CheckIcon /> in your list
        </span>
      )}
    </>
  );
}
