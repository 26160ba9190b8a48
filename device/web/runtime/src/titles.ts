const YEAR = /\s*\(\d{4}\)\s*$/;
const OTHER_NAME = /\(([^()]*)\)/g;
const ALSO_KNOWN_AS = /^a\.k\.a\. /;
// MovieLens moves a leading article to the end: "Matrix, The (1999)".
const MOVED_ARTICLE =
  /^(.+), (the|a|an|la|le|les|l'|el|los|las|lo|il|i|gli|das|der|die|un|une|una|o|os|as|de|het)$/;
const COMBINING_MARKS = /\p{M}/gu;
// "Schindler's", "L.A. Confidential" and "M*A*S*H" are mostly typed without.
const JOINTS = /['’.*·]/g;
const BETWEEN_WORDS = /[^\p{L}\p{N}]+/u;

/**
 * Returns a title's names as words, without the year: the main one, those in parentheses, and all
 * of them at once where there are any.
 */
export function namesOf(title: string): string[][] {
  const whole = title.trim().replace(YEAR, '');
  const others = Array.from(whole.matchAll(OTHER_NAME), ([, name]) => name ?? '');
  const names = [whole.replace(OTHER_NAME, ''), ...others, ...(others.length > 0 ? [whole] : [])];
  return names
    .map((name) => wordsOf(articleInFront(fold(name))))
    .filter((words) => words.length > 0);
}

/** Returns the words of what people type: lower case, without accents and punctuation. */
export function typedWords(text: string): string[] {
  return wordsOf(articleInFront(fold(text)));
}

function fold(text: string): string {
  return text.normalize('NFKD').toLowerCase().replace(COMBINING_MARKS, '').trim();
}

function articleInFront(folded: string): string {
  const name = folded.replace(ALSO_KNOWN_AS, '');
  const [, rest, article] = MOVED_ARTICLE.exec(name) ?? [];
  if (rest === undefined || article === undefined) {
    return name;
  }
  return article.endsWith("'") ? article + rest : `${article} ${rest}`;
}

function wordsOf(folded: string): string[] {
  return folded
    .replaceAll('&', ' and ')
    .replace(JOINTS, '')
    .split(BETWEEN_WORDS)
    .filter((word) => word !== '');
}
