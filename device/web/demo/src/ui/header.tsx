import { activate, type Kept } from '../engine/offline';
import { Logo } from './icons';

interface Props {
  readonly isReady: boolean;
  readonly hasFailed: boolean;
  readonly kept: Kept | null;
}

/** The name, and how far everything is. */
export function Header({ isReady, hasFailed, kept }: Props) {
  const update = kept?.kind === 'kept' ? kept.update : null;
  return (
    <header class="header">
      <Logo />
      <div class="header-text">
        <h1>PocketRec</h1>
        <p class="tagline">What to watch next, worked out on this device</p>
      </div>
      {!hasFailed && (
        <p
          class={isReady && kept ? 'status status-ready' : 'status'}
          title={kept?.kind === 'not-kept' ? kept.why : undefined}
        >
          {statusOf(isReady, kept)}
        </p>
      )}
      {update && (
        <button type="button" class="button" onClick={() => activate(update)}>
          Change to the new version
        </button>
      )}
    </header>
  );
}

function statusOf(isReady: boolean, kept: Kept | null): string {
  if (!isReady) {
    return 'Loading';
  }
  if (kept === null) {
    return 'Ready, storing for offline use';
  }
  return kept.kind === 'kept' ? 'Ready, also offline' : 'Ready, not stored for offline use';
}
