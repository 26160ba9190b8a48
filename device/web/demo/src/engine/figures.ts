/** What was measured of one variant before it was registered. */
export interface VariantFigures {
  /** Share of held-out movies among the ten best. */
  readonly recallAt10: number;
  /** Histories that it was measured on. */
  readonly windows: number;
}

/** Returns the figures by variant; those that the file does not tell are left out. */
export function readFigures(metrics: unknown): ReadonlyMap<string, VariantFigures> {
  const figures = new Map<string, VariantFigures>();
  const variants = field(metrics, 'variants');
  if (typeof variants !== 'object' || variants === null) {
    return figures;
  }
  for (const [name, told] of Object.entries(variants)) {
    const recallAt10 = field(told, 'recall_at_10');
    const windows = field(told, 'windows');
    if (typeof recallAt10 === 'number' && typeof windows === 'number') {
      figures.set(name, { recallAt10, windows });
    }
  }
  return figures;
}

/** Returns the name of the data that the model was trained on; null where the manifest tells none. */
export function datasetOf(manifest: unknown): string | null {
  const dataset = field(field(manifest, 'data'), 'dataset');
  return typeof dataset === 'string' ? dataset : null;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
