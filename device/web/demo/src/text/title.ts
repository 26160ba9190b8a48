/** A title as people write it. */
export interface ShownTitle {
  readonly name: string;
  readonly year: number | null;
}

const YEAR = /\s*\((\d{4})\)\s*$/;
// MovieLens moves an article behind its title, "Matrix, The"; those that its releases hold.
const ARTICLES =
  "The|A|An|Le|La|Les|L'|Un|Une|Il|Lo|I|Gli|El|Los|Las|Der|Die|Das|Ein|Eine|Den|Det|De|Het|Een|En|Ett|O|Os|As|Um|Uma";
const ARTICLE_BEHIND = new RegExp(`^(.+), (${ARTICLES})$`);
// A title, and the others that MovieLens puts behind it in parentheses.
const PART = /[^()]+/g;

/**
 * Returns "The Matrix" and 1999 of "Matrix, The (1999)".
 *
 * @param title As in the release.
 * @param year What else is known of the year, where the title tells none.
 */
export function shownTitle(title: string, year: number | null): ShownTitle {
  const told = YEAR.exec(title);
  const name = title.replace(YEAR, '').replace(PART, withArticleBefore).trim();
  return { name: name || title, year: told ? Number(told[1]) : year };
}

/** Returns "The Matrix (1999)", for names that are read out. */
export function spokenTitle(shown: ShownTitle): string {
  return shown.year === null ? shown.name : `${shown.name} (${shown.year})`;
}

function withArticleBefore(part: string): string {
  const before = /^\s*/.exec(part)?.[0] ?? '';
  const after = /\s*$/.exec(part)?.[0] ?? '';
  const found = ARTICLE_BEHIND.exec(part.trim());
  if (!found) {
    return part;
  }
  const [, rest, article] = found as unknown as [string, string, string];
  return `${before}${article}${article.endsWith("'") ? '' : ' '}${rest}${after}`;
}
