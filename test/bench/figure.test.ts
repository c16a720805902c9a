import { describe, expect, test } from 'vitest';
import { assess, type Budget, type Figure, median, quantile } from './figure.js';

const figure = (rounds: number[], reference?: number[], budget?: Budget): Figure => ({
  name: 'a figure',
  meaning: 'for tests',
  unit: 'tasks/s',
  rounds,
  ...(reference && { reference: { name: 'a reference', unit: 'tasks/s', rounds: reference } }),
  ...(budget && { budget }),
});

describe('median and quantile', () => {
  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
    [[100, 20, 3], 20],
  ])('the median of %j is %d', (numbers, expected) => {
    expect(median(numbers)).toBe(expected);
  });

  test('a quantile is one of the numbers', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(quantile(hundred, 0.5)).toBe(50);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile(hundred, 1)).toBe(100);
    expect(quantile([5, 10], 0.99)).toBe(10);
    expect(quantile([5], 0)).toBe(5);
  });

  test('there is none of nothing', () => {
    expect(median([])).toBeNaN();
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('an assessment', () => {
  test('tells median, extremes and the median distance from the median', () => {
    const { median, min, max, spread_percent } = assess(figure([90, 100, 110, 100, 500]));
    expect({ median, min, max, spread_percent }).toEqual({
      median: 100,
      min: 90,
      max: 500,
      spread_percent: 10,
    });
  });

  test('compares round by round when there are as many, so that a machine that slows down does not count', () => {
    const { ratio, reference_median } = assess(figure([50, 25, 10], [100, 50, 20]));
    expect(ratio).toBe(0.5);
    expect(reference_median).toBe(50);
  });

  test('compares the medians when there are not', () => {
    expect(assess(figure([50, 25, 10], [100, 200])).ratio).toBeCloseTo(25 / 150);
  });

  test('of a figure that never changed has no spread, even at zero', () => {
    expect(assess(figure([0, 0])).spread_percent).toBe(0);
  });

  test('is refused without a single round', () => {
    expect(() => assess(figure([]))).toThrow('a figure was not measured');
  });
});

describe('a budget', () => {
  test.each<[Budget, number, string]>([
    [{ of: 'ratio', at_least: 0.3, aim: 0.45 }, 0.29, 'missed'],
    [{ of: 'ratio', at_least: 0.3, aim: 0.45 }, 0.3, 'met'],
    [{ of: 'ratio', at_least: 0.3, aim: 0.45 }, 0.45, 'aim'],
    [{ of: 'ratio', at_most: 1.6, aim: 1.4 }, 1.61, 'missed'],
    [{ of: 'ratio', at_most: 1.6, aim: 1.4 }, 1.6, 'met'],
    [{ of: 'ratio', at_most: 1.6, aim: 1.4 }, 1.4, 'aim'],
    [{ of: 'ratio', at_most: 1.6 }, 0.1, 'met'],
  ])('%j with a ratio of %d is %s', (budget, ratio, verdict) => {
    expect(assess(figure([ratio], [1], budget)).verdict).toBe(verdict);
  });

  test('of the value does not look at the reference', () => {
    expect(assess(figure([49], [1], { of: 'value', at_most: 50 })).verdict).toBe('met');
    expect(assess(figure([51], [1000], { of: 'value', at_most: 50 })).verdict).toBe('missed');
  });

  test('of the ratio is unknown where the reference could not be measured', () => {
    const { verdict, ratio } = assess(figure([1], [], { of: 'ratio', at_least: 1 }));
    expect({ verdict, ratio }).toEqual({ verdict: 'unknown', ratio: undefined });
  });

  test('that is not there gives no verdict', () => {
    expect(assess(figure([1], [1]))).not.toHaveProperty('verdict');
  });
});
