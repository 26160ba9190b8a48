import type { Movie } from './bundle';
import { namesOf, typedWords } from './titles';
import { typingErrors } from './typing';

const DEFAULT_LIMIT = 10;
const ARTICLES: ReadonlySet<string> = new Set(['the', 'a', 'an']);
/** Letters from which on what was typed may be a name without its spaces. */
const SHORTEST_JOINED = 4;

/** How well a name fits what was typed, best first. */
const WHOLE = 0;
const START = 1;
const SEQUENCE = 2;
const WORDS = 3;
const JOINED = 4;

interface Name {
  readonly movie: Movie;
  /** Numbers of the words without a leading article. */
  readonly words: readonly number[];
  /** Of the article and the year: they may be typed, but need not be. */
  readonly more: readonly number[];
  /** The words without spaces. */
  readonly joined: string;
}

interface Typed {
  readonly words: readonly string[];
  readonly joined: string;
  /** Typing errors of each word, by number of the word that is meant. */
  readonly errors: readonly ReadonlyMap<number, number>[];
}

interface Hit {
  readonly movie: Movie;
  readonly errors: number;
  readonly fit: number;
}

/**
 * Finds movies while a title is typed, for a search box.
 *
 * Case, accents, punctuation and the place of the article do not count. A word may be cut short or
 * hold a typing error, and words may come in any order. A year narrows the search. Names in
 * parentheses are found too. What holds no typing errors comes first, then what fits better, then
 * what was rated more often in the training data; the same query always brings the same list.
 */
export class TitleSearch {
  readonly #words: readonly string[];
  readonly #names: readonly Name[];

  constructor(movies: Iterable<Movie>) {
    const numbers = new Map<string, number>();
    const numberOf = (word: string): number => {
      const number = numbers.get(word) ?? numbers.size;
      numbers.set(word, number);
      return number;
    };
    this.#names = Array.from(movies).flatMap((movie) =>
      namesOf(movie.title).map((words) => {
        const { article, rest } = split(words);
        const year = movie.year === null ? [] : [String(movie.year)];
        return {
          movie,
          words: rest.map(numberOf),
          more: [...article, ...year].map(numberOf),
          joined: rest.join(''),
        };
      }),
    );
    this.#words = [...numbers.keys()];
  }

  /**
   * Returns the movies that a text may mean, best first; none where it has no letter or digit.
   *
   * @param limit The most movies wanted.
   */
  search(text: string, limit = DEFAULT_LIMIT): Movie[] {
    const typed = this.#read(text);
    const best = new Map<number, Hit>();
    for (const name of typed.words.length === 0 ? [] : this.#names) {
      const hit = this.#hit(name, typed);
      const known = best.get(name.movie.id);
      if (hit !== undefined && (known === undefined || compare(hit, known) < 0)) {
        best.set(name.movie.id, hit);
      }
    }
    return [...best.values()]
      .sort(compare)
      .slice(0, limit)
      .map(({ movie }) => movie);
  }

  #read(text: string): Typed {
    const words = split(typedWords(text)).rest;
    const errors = words.map((word) => {
      const meant = new Map<number, number>();
      this.#words.forEach((known, number) => {
        const count = typingErrors(word, known);
        if (count !== undefined) {
          meant.set(number, count);
        }
      });
      return meant;
    });
    return { words, joined: words.join(''), errors };
  }

  #hit(name: Name, typed: Typed): Hit | undefined {
    const hit = this.#hitByWords(name, typed);
    const joined = typed.joined.length >= SHORTEST_JOINED && name.joined.startsWith(typed.joined);
    return joined && (hit === undefined || hit.errors > 0)
      ? { movie: name.movie, errors: 0, fit: JOINED }
      : hit;
  }

  #hitByWords({ movie, words, more }: Name, typed: Typed): Hit | undefined {
    let errors = 0;
    // Places of what was typed of the name itself, not of its article or year.
    const places: number[] = [];
    for (const [place, meant] of typed.errors.entries()) {
      const ofName = fewest(words, meant);
      const count = ofName ?? fewest(more, meant);
      if (count === undefined) {
        return undefined;
      }
      errors += count;
      if (ofName !== undefined) {
        places.push(place);
      }
    }
    return { movie, errors, fit: this.#fit(words, typed, places) };
  }

  #fit(words: readonly number[], typed: Typed, places: readonly number[]): number {
    const start = words.findIndex((_, first) =>
      places.every((place, step) => typed.errors[place]?.has(words[first + step] ?? -1)),
    );
    if (places.length === 0 || start === -1) {
      return WORDS;
    }
    if (start > 0) {
      return SEQUENCE;
    }
    const complete = places.every((place, step) => {
      const word = this.#words[words[step] ?? -1] ?? '';
      return word.length <= (typed.words[place] ?? '').length;
    });
    return complete && places.length === words.length ? WHOLE : START;
  }
}

function fewest(words: readonly number[], meant: ReadonlyMap<number, number>): number | undefined {
  const counts = words.flatMap((word) => meant.get(word) ?? []);
  return counts.length === 0 ? undefined : Math.min(...counts);
}

function split(words: readonly string[]): { article: string[]; rest: readonly string[] } {
  const [first, ...rest] = words;
  const article = first !== undefined && rest.length > 0 && ARTICLES.has(first);
  return article ? { article: [first], rest } : { article: [], rest: words };
}

function compare(one: Hit, other: Hit): number {
  return (
    one.errors - other.errors ||
    one.fit - other.fit ||
    other.movie.count - one.movie.count ||
    one.movie.id - other.movie.id
  );
}
