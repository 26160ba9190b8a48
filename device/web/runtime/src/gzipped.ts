/** What the names of files that ship compressed end with. */
const SUFFIX = '.gz';

/** Whether a file of a bundle must be unzipped before it can run. */
export function isGzipped(name: string): boolean {
  return name.endsWith(SUFFIX);
}

/**
 * Returns what a gzip file holds.
 *
 * Rejects where it is none, or is cut off.
 */
export async function unzipped(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
