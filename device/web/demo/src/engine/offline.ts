/** What became of keeping the app on the device. */
export type Kept =
  | { readonly kind: 'kept'; readonly update: ServiceWorker | null }
  | { readonly kind: 'not-kept'; readonly why: string };

const WORKER = 'sw.js';

/**
 * Has the service worker keep the app, LiteRT and the bundle, so that they open without a network.
 *
 * Resolves when everything is kept, or will not be. A newer version of the app waits, whole, until
 * `activate` is called or no page shows the present one any more.
 *
 * @param liteRtFolder URL of the folder with LiteRT's files; of its flavours, the one in use is kept.
 */
export async function keepOffline(liteRtFolder: string): Promise<Kept> {
  if (!('serviceWorker' in navigator)) {
    return { kind: 'not-kept', why: 'this browser keeps no apps, or the page is not on https' };
  }
  try {
    const address = `${WORKER}?litert=${encodeURIComponent(flavourInUse(liteRtFolder))}`;
    const registration = await navigator.serviceWorker.register(address, {
      updateViaCache: 'none',
    });
    const first = registration.installing;
    if (first) {
      await installed(first);
    } else {
      // Without a network there is nothing newer; what is kept stays.
      await registration.update().catch(() => undefined);
      // A newer version that cannot be had whole leaves the present one in place.
      await (registration.installing && installed(registration.installing).catch(() => undefined));
    }
    const { waiting } = registration;
    const update = navigator.serviceWorker.controller ? waiting : null;
    return { kind: 'kept', update };
  } catch (error) {
    return { kind: 'not-kept', why: error instanceof Error ? error.message : String(error) };
  }
}

/** Changes to the version that waits; the page is loaded anew. */
export function activate(worker: ServiceWorker): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload());
  worker.postMessage('activate');
}

function installed(worker: ServiceWorker): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (worker.state === 'redundant') {
        reject(new Error('the files could not be kept whole'));
      } else if (worker.state !== 'installing') {
        resolve();
      }
    };
    worker.addEventListener('statechange', look);
    look();
  });
}

/** Returns the name, without its ending, of the WebAssembly that LiteRT chose for this browser. */
function flavourInUse(folder: string): string {
  const loaded = performance
    .getEntriesByType('resource')
    .map((entry) => entry.name)
    .find((name) => name.startsWith(folder) && name.endsWith('.wasm'));
  return loaded === undefined ? '' : loaded.slice(folder.length, -'.wasm'.length);
}
