import { expect, test } from 'vitest';
import { encode, padded, withUnknown } from '../src/encode.ts';
import { BundleError, HistoryError } from '../src/errors.ts';
import { makeEvents, secondsOf } from '../src/events.ts';
import { checkRanking, firstUnseen } from '../src/ranking.ts';
import { userNumbers } from '../src/users.ts';

const NOON = 978_350_400;

test('an unknown movie takes its rating and time with it', () => {
  expect(makeEvents([3, 0, 20], [5, 4, null], [NOON, NOON, NOON + 1], 0)).toEqual({
    ids: [3, 20],
    ratings: [5, 0],
    times: [NOON, NOON + 1],
  });
});

test('what is not told is not known', () => {
  expect(makeEvents([3, 20], undefined, undefined, 3)).toEqual({
    ids: [3, 20],
    ratings: [0, 0],
    times: [0, 0],
  });
});

test('what was rated low is no history, what was not rated is', () => {
  expect(makeEvents([1, 2, 3, 4], [4, 2.5, null, 3], undefined, 3).ids).toEqual([1, 3, 4]);
});

test('unknown times between known ones are no fall', () => {
  expect(makeEvents([1, 0, 2], undefined, [NOON, null, NOON], 0).times).toEqual([NOON, NOON]);
});

test.each([
  [[4], undefined, /1 ratings for a history of 2; give one for each/],
  [undefined, [NOON, NOON, NOON], /3 times for a history of 2/],
  [[4, 0], undefined, /ratings\[1\] is 0; must be stars, 0\.5 to 5, or null/],
  [[5.5, 4], undefined, /ratings\[0\] is 5\.5/],
  [[Number.NaN, 4], undefined, /ratings\[0\] is NaN/],
  [['5', 4], undefined, /ratings\[0\] is '5'/],
  [[true, 4], undefined, /ratings\[0\] is true/],
  [undefined, [NOON, 0], /times\[1\] is 0; must be whole seconds since 1970 UTC/],
  [undefined, [NOON * 1000, null], /times\[0\] is 978350400000/],
  [undefined, [1.5, null], /times\[0\] is 1\.5/],
  [undefined, [NOON, NOON - 1], /times\[1\] \(978350399\) is before times\[0\] \(978350400\)/],
])('what is no rating or time is refused: %j, %j', (ratings, times, message) => {
  const make = () => makeEvents([3, 20], ratings as number[], times as number[], 0);
  expect(make).toThrow(HistoryError);
  expect(make).toThrow(message);
});

test('a moment is a time too', () => {
  expect(secondsOf(NOON, 'now')).toBe(NOON);
  expect(() => secondsOf(-1, 'now')).toThrow('now is -1; must be whole seconds');
});

test.each([
  ['left', [4, 5], [0, 0, 4, 5]],
  ['right', [4, 5], [4, 5, 0, 0]],
  ['left', [1, 2, 3, 4, 5, 6], [3, 4, 5, 6]],
  ['right', [1, 2, 3, 4, 5, 6], [3, 4, 5, 6]],
  ['left', [], [0, 0, 0, 0]],
] as const)('the last four count, padded on the %s: %j', (padding, values, expected) => {
  expect(padded(values, new Int32Array(4), padding)).toEqual(Int32Array.from(expected));
});

test.each(['left', 'right'] as const)(
  'ratings and times lie where their movies do: %s',
  (padding) => {
    const events = { ids: [7, 8], ratings: [4.5, 0], times: [NOON, NOON + 1] };
    const user = new Map([['user_gender', 2]]);
    const encoded = encode({ historyLength: 3, padding }, events, NOON + 5, user);
    const row = <Value>(...values: [Value, Value]) =>
      padding === 'left' ? [0, ...values] : [...values, 0];
    expect(Array.from(encoded.context)).toEqual(row(7, 8));
    expect(encoded.further).toEqual(
      new Map<string, Int32Array | Float32Array>([
        ['context_rating', Float32Array.from(row(4.5, 0))],
        ['context_timestamp', Int32Array.from(row(NOON, NOON + 1))],
        ['request_timestamp', Int32Array.of(NOON + 5)],
        ['user_gender', Int32Array.of(2)],
      ]),
    );
  },
);

const READS = {
  historyLength: 2,
  furtherInputs: new Map([
    ['context_rating', { dtype: 'float32', width: 2 }],
    ['request_timestamp', { dtype: 'int32', width: 1 }],
  ] as const),
};

test('the model gets what it reads, and nothing else', () => {
  const context = Int32Array.of(0, 9);
  expect(withUnknown(READS, context, new Map([['user_age', Int32Array.of(3)]]), NOON)).toEqual(
    new Map<string, Int32Array | Float32Array>([
      ['context_movie_id', context],
      ['context_rating', Float32Array.of(0, 0)],
      ['request_timestamp', Int32Array.of(NOON)],
    ]),
  );
  const given = new Map([['request_timestamp', Int32Array.of(5)]]);
  expect(withUnknown(READS, context, given, NOON).get('request_timestamp')).toEqual(
    Int32Array.of(5),
  );
});

test.each([
  ['context_rating', Float32Array.of(1), /context_rating is float32 \[1\], must be float32 \[2\]/],
  ['context_rating', Int32Array.of(1, 2), /context_rating is int32 \[2\], must be float32 \[2\]/],
])('an input of another shape is refused: %s, %j', (name, values, message) => {
  const give = () => withUnknown(READS, new Int32Array(2), new Map([[name, values]]), NOON);
  expect(give).toThrow(HistoryError);
  expect(give).toThrow(message);
  expect(() => withUnknown(READS, new Int32Array(3), new Map(), NOON)).toThrow(
    'context_movie_id is int32 [3], must be int32 [2]',
  );
});

const CATEGORIES = new Map([
  ['user_gender', ['F', 'M']],
  ['user_age', ['Under 18', '18 to 24', '25 to 34']],
]);

test.each([
  [{}, [0, 0]],
  [{ user_gender: null }, [0, 0]],
  [{ user_gender: 'M' }, [2, 0]],
  [{ user_gender: 2, user_age: '18 to 24' }, [2, 2]],
  [{ user_age: 3 }, [0, 3]],
  // The model does not read it.
  [{ user_occupation: 'writer' }, [0, 0]],
])('words and numbers become numbers of categories: %j', (user, [gender, age]) => {
  expect(userNumbers(user, CATEGORIES)).toEqual(
    new Map([
      ['user_gender', gender],
      ['user_age', age],
    ]),
  );
});

test.each([
  [{ gender: 'F' }, /user\['gender'\]: there is no such input.*user_gender/],
  [{ user_gender: 'female' }, /user\['user_gender'\] is 'female'; must be one of \['F', 'M'\]/],
  [{ user_gender: 3 }, /is 3; must be/],
  [{ user_gender: -1 }, /is -1; must be/],
  [{ user_gender: 1.5 }, /is 1\.5; must be/],
])('what is no category is refused: %j', (user, message) => {
  expect(() => userNumbers(user as Record<string, string>, CATEGORIES)).toThrow(HistoryError);
  expect(() => userNumbers(user as Record<string, string>, CATEGORIES)).toThrow(message);
});

const RANKING = { ids: Int32Array.of(5, 3, 9, 1), scores: Float32Array.of(4, 2.5, 2.5, -1) };

test('the best that were not seen come in their order', () => {
  expect(firstUnseen(RANKING, new Set([3]), 2)).toEqual([
    { id: 5, score: 4 },
    { id: 9, score: 2.5 },
  ]);
  expect(firstUnseen(RANKING, new Set([5, 3, 1]), 4)).toEqual([{ id: 9, score: 2.5 }]);
  expect(firstUnseen(RANKING, new Set(), 4).map(({ id }) => id)).toEqual([5, 3, 9, 1]);
});

test('a ranking of the vocabulary is taken, ties too', () => {
  checkRanking({ ...RANKING, milliseconds: 1 }, 9, 'toy');
});

test.each([
  [[5, 3, 9, 1], [4, 2, 2, -1], 8, /toy returned ids from 1 to 9, the vocabulary holds 1 to 8/],
  [[5, 0, 9, 1], [4, 2, 2, -1], 9, /ids from 0 to 9/],
  [[5, 3, 9, 1], [4, 2, 2.5, -1], 9, /do not fall \(2\.5 at place 3\)/],
  [[5, 3, 9, 1], [Number.NaN, 2, 2, -1], 9, /do not fall \(NaN at place 1\)/],
  [[5, 3, 9, 1], [4, 2, 2, Number.NaN], 9, /do not fall \(NaN at place 4\)/],
])('what is no ranking is refused: %j, %j', (ids, scores, movies, message) => {
  const ranking = {
    ids: Int32Array.from(ids),
    scores: Float32Array.from(scores),
    milliseconds: 1,
  };
  expect(() => checkRanking(ranking, movies, 'toy')).toThrow(BundleError);
  expect(() => checkRanking(ranking, movies, 'toy')).toThrow(message);
});
