import { expect, test } from 'vitest';
import { counted, duration, median, seconds, size } from './format';

test.each([
  [999, '999 B'],
  [1000, '1 KB'],
  [347_808, '348 KB'],
  [999_499, '999 KB'],
  [999_500, '1.0 MB'],
  [9_367_934, '9.4 MB'],
])('%d bytes are %s', (bytes, text) => {
  expect(size(bytes)).toBe(text);
});

test.each([
  [0, 'under 0.1 ms'],
  [0.049, 'under 0.1 ms'],
  [0.05, '0.1 ms'],
  [0.44, '0.4 ms'],
  [9.94, '9.9 ms'],
  [9.95, '10 ms'],
  [123.4, '123 ms'],
])('%d milliseconds are %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});

test('seconds have two digits', () => {
  expect(seconds(744)).toBe('0.74 s');
});

test('nouns go with their number', () => {
  expect([0, 1, 2].map((count) => counted(count, 'movie'))).toEqual([
    '0 movies',
    '1 movie',
    '2 movies',
  ]);
});

test('the median is the middle one, or between the middle two', () => {
  expect(median([])).toBeNull();
  expect(median([3])).toBe(3);
  expect(median([10, 9, 1])).toBe(9);
  expect(median([4, 1, 2, 100])).toBe(3);
});
