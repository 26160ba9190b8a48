/**
 * Returns the content of one of a bundle's files, named as in its manifest, "android/config.json";
 * rejects where there is none.
 */
export type FileReader = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/**
 * Returns a reader that fetches a bundle's files.
 *
 * @param baseUrl The bundle's folder, with or without a slash at the end; relative to the page.
 */
export function httpFiles(baseUrl: string | URL): FileReader {
  const base = new URL(baseUrl, globalThis.location?.href);
  const folder = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`;
  return async (name) => {
    const url = new URL(base);
    url.pathname = folder + name.split('/').map(encodeURIComponent).join('/');
    const response = await fetch(url).catch((error: unknown) => {
      throw new Error(`${url.href}: no answer (${(error as Error).message})`);
    });
    if (!response.ok) {
      throw new Error(`${url.href}: HTTP ${response.status} ${response.statusText}`.trimEnd());
    }
    return new Uint8Array(await response.arrayBuffer());
  };
}
