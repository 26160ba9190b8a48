import { expect, test } from 'vitest';
import { datasetOf, readFigures } from './figures';

test('figures are told by variant', () => {
  const variants = {
    int8: { recall_at_10: 0.37, windows: 2000, top10_overlap: 0.95 },
    float32: { recall_at_10: 0.38, windows: 2000 },
  };
  expect([...readFigures({ variants })]).toEqual([
    ['int8', { recallAt10: 0.37, windows: 2000 }],
    ['float32', { recallAt10: 0.38, windows: 2000 }],
  ]);
});

test.each([
  null,
  [],
  {},
  { variants: 3 },
  { variants: { int8: null } },
  { variants: { int8: { recall_at_10: 0.25, keras_recall_at_10: 0.25 } } },
])('what is not told is left out: %j', (metrics) => {
  expect(readFigures(metrics).size).toBe(0);
});

test('the data set is what the manifest says', () => {
  expect(datasetOf({ data: { dataset: 'ml-1m' } })).toBe('ml-1m');
  for (const manifest of [null, {}, { data: {} }, { data: { dataset: 3 } }]) {
    expect(datasetOf(manifest)).toBeNull();
  }
});
