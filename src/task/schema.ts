import { z } from 'zod';

/** Words that the schemas of answers are made of. All objects are strict: whatever an answer holds is told. */

export const count = z.int().min(0);
export const time = z.iso.datetime().describe('RFC 3339, UTC');
export const texts = z.record(z.string(), z.string());
export const sentences = z.array(z.string());

/** One field of the same kind for each name. */
export function namedFields<N extends string, T extends z.ZodType>(
  names: readonly N[],
  schema: T,
): Record<N, T> {
  return Object.fromEntries(names.map((name) => [name, schema])) as Record<N, T>;
}
