/**
 * Keeps one version of the app, whole: itself, LiteRT and the bundle.
 *
 * What belongs to the version is written before this script when the app is put together; so the
 * script differs wherever anything does, and browsers take up the new version by themselves.
 */
interface Site {
  /** Names the content of all files. */
  readonly version: string;
  /** SHA-256 by path, relative to this script; '' is the page itself. */
  readonly files: Readonly<Record<string, string>>;
  /** Folder of LiteRT's flavours; a browser needs one of them. */
  readonly liteRt: string;
}

declare const self: ServiceWorkerGlobalScope & { readonly POCKETREC_SITE: Site };

const site = self.POCKETREC_SITE;
// Several exports may live at one origin, each in a folder of its own.
const FAMILY = `pocketrec ${self.registration.scope} `;
const CACHE = FAMILY + site.version;

self.addEventListener('install', (event) => event.waitUntil(keepAll()));
self.addEventListener('activate', (event) => event.waitUntil(dropOthers()));
self.addEventListener('message', (event) => {
  if (event.data === 'activate') {
    void self.skipWaiting();
  }
});
self.addEventListener('fetch', (event) => {
  const path = pathOf(event.request);
  if (path !== null) {
    event.respondWith(kept(event.request, path));
  }
});

function pathOf(request: Request): string | null {
  const { origin, pathname } = new URL(request.url);
  const scope = new URL(self.registration.scope);
  if (request.method !== 'GET' || origin !== scope.origin) {
    return null;
  }
  const path = pathname.slice(scope.pathname.length);
  return pathname.startsWith(scope.pathname) && path in site.files ? path : null;
}

async function kept(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(addressOf(path))) ?? fetch(request);
}

async function keepAll(): Promise<void> {
  const names = (await caches.keys()).filter((name) => name.startsWith(FAMILY) && name !== CACHE);
  const older = await Promise.all(names.map((name) => caches.open(name)));
  const cache = await caches.open(CACHE);
  const wanted = Object.entries(site.files).filter(([path]) => isWanted(path));
  await Promise.all(
    wanted.map(async ([path, digest]) => {
      await cache.put(addressOf(path), await whole(path, digest, older));
    }),
  );
}

function isWanted(path: string): boolean {
  const flavour = new URL(self.location.href).searchParams.get('litert');
  if (!path.startsWith(site.liteRt)) {
    return true;
  }
  return !flavour || path.slice(site.liteRt.length).replace(/\.\w+$/, '') === flavour;
}

/** Returns a file with the content that the version has: from an older one, or from the network. */
async function whole(path: string, digest: string, older: readonly Cache[]): Promise<Response> {
  const attempts = [
    ...older.map((cache) => () => cache.match(addressOf(path))),
    () => fetch(addressOf(path)),
    () => fetch(addressOf(path), { cache: 'reload' }),
  ];
  for (const attempt of attempts) {
    const response = await attempt();
    if (response?.ok && (await digestOf(response.clone())) === digest) {
      return response;
    }
  }
  throw new Error(`${path || 'the page'}: not the content of version ${site.version}`);
}

async function digestOf(response: Response): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', await response.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function addressOf(path: string): string {
  return new URL(path, self.registration.scope).href;
}

async function dropOthers(): Promise<void> {
  const names = await caches.keys();
  const others = names.filter((name) => name.startsWith(FAMILY) && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
}
