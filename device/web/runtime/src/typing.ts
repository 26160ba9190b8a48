const DIGITS = /^\p{N}+$/u;

/** Typing errors that are forgiven, by the length of what was typed. */
const FORGIVEN = [
  { from: 7, errors: 2 },
  { from: 4, errors: 1 },
] as const;

/**
 * Returns how many typing errors turn the beginning of a word into what was typed, undefined where
 * more than are forgiven. Numbers are taken at their word.
 */
export function typingErrors(typed: string, word: string): number | undefined {
  if (word.startsWith(typed)) {
    return 0;
  }
  const most = FORGIVEN.find(({ from }) => typed.length >= from)?.errors;
  if (most === undefined || typed.length - word.length > most || DIGITS.test(typed)) {
    return undefined;
  }
  const errors = prefixDistance(typed, word);
  return errors <= most ? errors : undefined;
}

/**
 * The fewest insertions, deletions, substitutions and swaps of neighbours that turn any beginning
 * of `word` into `typed` (optimal string alignment: a swapped pair is not edited again).
 */
function prefixDistance(typed: string, word: string): number {
  // Rows of the table of distances, by typed letters; columns by letters of the word.
  let before: number[] = [];
  let above = Array.from({ length: word.length + 1 }, (_, column) => column);
  for (let row = 1; row <= typed.length; row++) {
    const current = [row];
    for (let column = 1; column <= word.length; column++) {
      const letter = typed[row - 1];
      const change = letter === word[column - 1] ? 0 : 1;
      let best = Math.min(
        at(above, column) + 1,
        at(current, column - 1) + 1,
        at(above, column - 1) + change,
      );
      if (
        row > 1 &&
        column > 1 &&
        letter === word[column - 2] &&
        typed[row - 2] === word[column - 1]
      ) {
        best = Math.min(best, at(before, column - 2) + 1);
      }
      current.push(best);
    }
    before = above;
    above = current;
  }
  return Math.min(...above);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
