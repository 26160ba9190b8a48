import { HistoryError, show } from './errors';
import { UNKNOWN } from './manifest';

const MOST_STARS = 5;
const LAST_SECOND = 2 ** 31 - 1;

/** A history, oldest first; three lists of one length. */
export interface Events {
  /** The model's ids. */
  readonly ids: readonly number[];
  /** Stars, 0 where not known. */
  readonly ratings: readonly number[];
  /** Seconds since 1970 UTC, 0 where not known. */
  readonly times: readonly number[];
}

type Known = number | null;

/**
 * Puts together what a model may see of a history: the events of known movies.
 *
 * @param ids The model's ids, oldest first, 0 where it does not know the movie.
 * @param ratings Stars of each, null where not known; or undefined altogether.
 * @param times Seconds since 1970 UTC of each, null where not known; or undefined altogether.
 * @param minRating Stars; what was rated lower is left out.
 * @throws HistoryError: not as many ratings or times as movies, a rating that is none, a time that
 *   is none, or times that fall.
 */
export function makeEvents(
  ids: readonly number[],
  ratings: readonly Known[] | undefined,
  times: readonly Known[] | undefined,
  minRating: number,
): Events {
  const stars = ofEach(ratings, ids.length, 'ratings').map(starsOf);
  const seconds = ofEach(times, ids.length, 'times').map((time, place) =>
    secondsOf(time, `times[${place}]`),
  );
  checkOrder(seconds);
  const kept = stars.flatMap((rating, place) => {
    const low = rating !== UNKNOWN && rating < minRating;
    return ids[place] === UNKNOWN || low ? [] : [place];
  });
  const at = (values: readonly number[]) => kept.map((place) => values[place] as number);
  return { ids: at(ids), ratings: at(stars), times: at(seconds) };
}

/**
 * Returns a time, 0 for null.
 *
 * @param time Seconds since 1970 UTC, or null.
 * @param name What to call it in errors.
 * @throws HistoryError: it is no such number.
 */
export function secondsOf(time: Known, name: string): number {
  if (time === null) {
    return UNKNOWN;
  }
  if (!Number.isInteger(time) || time <= 0 || time > LAST_SECOND) {
    throw new HistoryError(
      `${name} is ${show(time)}; must be whole seconds since 1970 UTC, 1 to ${LAST_SECOND}, or ` +
        'null where not known',
    );
  }
  return time;
}

function starsOf(rating: Known, place: number): number {
  if (rating === null) {
    return UNKNOWN;
  }
  // Put so that NaN is refused too.
  if (!(typeof rating === 'number' && rating > 0 && rating <= MOST_STARS)) {
    throw new HistoryError(
      `ratings[${place}] is ${show(rating)}; must be stars, 0.5 to ${MOST_STARS}, or null where ` +
        'not known',
    );
  }
  return rating;
}

function ofEach(values: readonly Known[] | undefined, length: number, name: string): Known[] {
  if (values === undefined) {
    return new Array<Known>(length).fill(null);
  }
  if (values.length !== length) {
    throw new HistoryError(
      `${values.length} ${name} for a history of ${length}; give one for each`,
    );
  }
  return [...values];
}

function checkOrder(times: readonly number[]): void {
  let latest = UNKNOWN;
  let where = 0;
  times.forEach((time, place) => {
    if (time === UNKNOWN) {
      return;
    }
    if (time < latest) {
      throw new HistoryError(
        `times[${place}] (${time}) is before times[${where}] (${latest}); a history is oldest first`,
      );
    }
    latest = time;
    where = place;
  });
}
