import type { Manifest } from '@pocketrec/runtime';
import { datasetOf } from '../engine/figures';
import { LockIcon } from './icons';

interface Props {
  readonly manifest: Manifest;
  /** Movies that the model knows. */
  readonly movies: number;
  readonly isKept: boolean;
  readonly canForget: boolean;
  readonly onForget: () => void;
}

/** What the page does, and what it does not. */
export function About({ manifest, movies, isKept, canForget, onForget }: Props) {
  const dataset = datasetOf(manifest.raw);
  return (
    <section class="panel about" aria-labelledby="about-title">
      <h2 id="about-title">How it works</h2>
      <p class="promise">
        <LockIcon />
        <span>
          <strong>Nothing leaves this device.</strong> The model runs inside this page. Once it has
          loaded, the page asks the network for nothing more, and its security policy lets it speak
          to no other server.
        </span>
      </p>
      <p>
        A neural network ({manifest.encoder}
        {dataset !== null && `, trained on ${dataset}`}) reads the movies that you watched in the
        order of your list, up to {manifest.historyLength}, and ranks {movies.toLocaleString('en')}{' '}
        movies by what people with such a history watched next. LiteRT runs it as WebAssembly.
      </p>
      <p>
        “Why?” runs the model again without each movie of your list in turn, and names the one whose
        absence costs the recommendation most of its place, if it leads the others clearly.
      </p>
      <p>
        {isKept
          ? 'Your list is kept in this browser, and nowhere else.'
          : 'This browser keeps nothing, so your list ends with this page.'}
      </p>
      <button type="button" class="button" disabled={!canForget} onClick={onForget}>
        Forget my list
      </button>
    </section>
  );
}
