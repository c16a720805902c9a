import { z } from 'zod';

/** A field that takes any JSON of so many bytes at most. What no JSON can hold, and would be written as null, is refused. */
export function jsonValue(maxBytes: number) {
  return z
    .unknown()
    .refine(hasFiniteNumbers, 'has a number that is too large')
    .refine(
      (given) => Buffer.byteLength(JSON.stringify(given ?? null)) <= maxBytes,
      `must have at most ${maxBytes} bytes as JSON`,
    );
}

/** A value as it is when it was written and read again: what is compared with one that was. -0 is 0, for example. */
export function asWritten(value: unknown): unknown {
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
}

function hasFiniteNumbers(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(hasFiniteNumbers);
}
