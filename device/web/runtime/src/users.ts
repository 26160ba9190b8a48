import { HistoryError, show } from './errors';
import { UNKNOWN, USER_INPUTS } from './manifest';

export type User = Readonly<Record<string, string | number | null>>;

/**
 * Translates what is known of a user into numbers of categories, 0 where not known. What the model
 * does not read is left out.
 *
 * @param user By input name: one of the manifest's words, its number from 1, or null where not
 *   known.
 * @param categories The words of each input that the model reads.
 * @throws HistoryError: there is no such input, or it has no such category.
 */
export function userNumbers(
  user: User,
  categories: ReadonlyMap<string, readonly string[]>,
): Map<string, number> {
  for (const name of Object.keys(user)) {
    if (!USER_INPUTS.includes(name)) {
      throw new HistoryError(
        `user[${show(name)}]: there is no such input; ${show(USER_INPUTS)} are`,
      );
    }
  }
  return new Map(
    [...categories].map(([name, words]) => [name, numberOf(name, user[name] ?? null, words)]),
  );
}

function numberOf(name: string, value: string | number | null, words: readonly string[]): number {
  if (value === null) {
    return UNKNOWN;
  }
  if (typeof value === 'string' && words.includes(value)) {
    return words.indexOf(value) + 1;
  }
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= words.length) {
    return value;
  }
  throw new HistoryError(
    `user[${show(name)}] is ${show(value)}; must be one of ${show(words)}, or its number from 1, ` +
      'or null where not known',
  );
}
