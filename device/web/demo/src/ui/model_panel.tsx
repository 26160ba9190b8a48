import type { Manifest } from '@pocketrec/runtime';
import { useId } from 'preact/hooks';
import type { VariantFigures } from '../engine/figures';
import { duration, median, seconds, size } from '../text/format';
import { CheckIcon } from './icons';
import { Details } from './states';
import type { Problem } from './use_model';

interface Props {
  readonly manifest: Manifest;
  readonly figures: ReadonlyMap<string, VariantFigures>;
  readonly variant: string;
  /** The variant that is being opened; null where none is. */
  readonly opening: string | null;
  /** Why the last choice could not be opened. */
  readonly problem: Problem | null;
  /** Milliseconds of each inference of this visit by the variant in use. */
  readonly inferences: readonly number[];
  /** Milliseconds from the start of the visit to the first answer. */
  readonly firstAnswer: number | null;
  readonly onChoose: (variant: string) => void;
}

/** What the model is, and what was measured of it on this device. */
export function ModelPanel(props: Props) {
  const { manifest, figures, variant, inferences, firstAnswer } = props;
  const last = inferences.at(-1);
  const middle = median(inferences);
  const windows = new Set(Array.from(figures.values(), (figure) => figure.windows));
  return (
    <section class="panel model" aria-labelledby="model-title">
      <h2 id="model-title">Measured on this device</h2>
      <dl class="tiles">
        <Tile term="last answer" value={last === undefined ? '–' : duration(last)} />
        <Tile
          term={inferences.length > 1 ? `median of ${inferences.length}` : 'median'}
          value={middle === null ? '–' : duration(middle)}
        />
        <Tile term="to first answer" value={firstAnswer === null ? '–' : seconds(firstAnswer)} />
      </dl>
      <fieldset class="variants">
        <legend>
          The model, {manifest.variants.size === 1 ? 'as a file' : 'in several sizes'}
        </legend>
        {smallestFirst(manifest).map(({ name, bytes }) => (
          <Variant
            key={name}
            name={name}
            bytes={bytes}
            recall={figures.get(name)?.recallAt10 ?? null}
            isGated={name === manifest.defaultVariant}
            isChosen={name === (props.opening ?? variant)}
            onChoose={props.onChoose}
          />
        ))}
      </fieldset>
      {props.problem && (
        <div class="problem" role="alert">
          <p>
            {props.problem.variant} cannot be run here; {variant} stays in use.
          </p>
          <Details text={props.problem.detail} />
        </div>
      )}
      {windows.size === 1 && (
        <p class="hint">
          Recall@10: how often the movie that somebody really watched next is among the ten, in{' '}
          {[...windows][0]?.toLocaleString('en')} histories that were held out when the model was
          converted.
        </p>
      )}
    </section>
  );
}

function smallestFirst({ variants, files }: Manifest) {
  return Array.from(variants, ([name, file]) => ({
    name,
    bytes: files.get(file)?.bytes ?? 0,
  })).sort((one, other) => one.bytes - other.bytes);
}

function Tile({ term, value }: { term: string; value: string }) {
  return (
    <div class="tile">
      <dt>{term}</dt>
      <dd>{value}</dd>
    </div>
  );
}

interface VariantProps {
  readonly name: string;
  readonly bytes: number;
  readonly recall: number | null;
  readonly isGated: boolean;
  readonly isChosen: boolean;
  readonly onChoose: (variant: string) => void;
}

function Variant({ name, bytes, recall, isGated, isChosen, onChoose }: VariantProps) {
  const id = useId();
  return (
    <label class="variant" for={id}>
      <input
        id={id}
        type="radio"
        name="variant"
        value={name}
        checked={isChosen}
        onChange={() => onChoose(name)}
      />
      <span class="variant-name">{name}</span>
      {isGated && (
        <span class="badge">
          <CheckIcon /> passed the gate
        </span>
      )}
      <span class="variant-figures">
        {size(bytes)}
        {recall !== null && ` · recall@10 ${recall.toFixed(3)}`}
      </span>
    </label>
  );
}
