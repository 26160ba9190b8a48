import { size } from '../text/format';
import type { Failure } from './use_model';

/** How far loading is. */
export function Loading({ loaded, total }: { loaded: number; total: number }) {
  return (
    <div class="state">
      <p id="loading">Loading the model…</p>
      <progress aria-labelledby="loading" max={total || 1} value={loaded} />
      <p class="hint">
        {size(loaded)} of {size(total)}; later visits open from this device.
      </p>
    </div>
  );
}

/** What went wrong while loading. */
export function Failed({ headline, advice, detail }: Failure) {
  return (
    <div class="state failure" role="alert">
      <h2>{headline}</h2>
      <p>{advice}</p>
      <Details text={detail} />
      <button type="button" class="button" onClick={() => location.reload()}>
        Try again
      </button>
    </div>
  );
}

/** An error's own words, for those who can do something about it. */
export function Details({ text }: { text: string }) {
  return (
    <details>
      <summary>Details</summary>
      <p class="detail-text">{text}</p>
    </details>
  );
}

/** Before there is a history. */
export function Invitation() {
  return (
    <div class="state invitation">
      <svg class="art" viewBox="0 0 120 72" aria-hidden="true" focusable="false">
        <rect class="art-back" x="6" y="14" width="32" height="44" rx="6" />
        <rect class="art-middle" x="82" y="14" width="32" height="44" rx="6" />
        <rect class="art-front" x="40" y="6" width="40" height="60" rx="7" />
        <path class="art-mark" d="M54 27v18l15-9z" />
      </svg>
      <p>
        <strong>Tap one movie that you watched.</strong>
      </p>
      <p class="hint">What to watch next appears here, and changes with every tap.</p>
    </div>
  );
}
