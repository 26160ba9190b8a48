import { expect, test } from 'vitest';
import { readFigures } from './figures';

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
