import { activate, type Kept } from '../engine/offline';
import { Logo } from './icons';

interface Props {
  /** Of what has to be loaded before the model can answer; 1 when it can. */
  readonly share: number;
  readonly hasFailed: boolean;
  readonly kept: Kept | null;
}

/** The name, and how far everything is. */
export function Header({ share, hasFailed, kept }: Props) {
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
          class={share === 1 && kept ? 'status status-ready' : 'status'}
          title={kept?.kind === 'not-kept' ? kept.why : undefined}
        >
          {statusOf(share, kept)}
        </p>
      )}
      {update && (
        <button type="button" class="button update" onClick={() => activate(update)}>
          Change to the new version
        </button>
      )}
    </header>
  );
}

function statusOf(share: number, kept: Kept | null): string {
  if (share < 1) {
    return `Loading ${Math.floor(share * 100)}%`;
  }
  if (kept === null) {
    return 'Ready, storing for offline use';
  }
  return kept.kind === 'kept' ? 'Ready, also offline' : 'Ready, not stored for offline use';
}
