import { z } from 'zod';

/** What the fields of requests are made of. */

/** `null` means absent where a field is optional. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((v) => v ?? undefined);
}

/** As {@link optional}, with what is taken where nothing is given. */
export function orElse<T extends z.ZodType>(schema: T, fallback: () => z.output<T>) {
  return schema.nullish().transform((v): z.output<T> => v ?? fallback());
}

/** A part of a request that may be left out: then it is what an empty one is. */
export function section<T extends z.ZodType<object>>(schema: T) {
  const empty = schema.parse({});
  return orElse(schema, () => ({ ...empty }));
}

export const wholeNumber = z
  .number()
  .int('must be a whole number')
  .max(Number.MAX_SAFE_INTEGER, 'must be at most 2^53-1');
export const positive = wholeNumber.positive('must be greater than 0');

/** In place of zod's own words for a field that there is not. */
export const hasNoField = {
  error: ({ code, keys }: { code?: string | undefined; keys?: string[] }) =>
    code === 'unrecognized_keys' ? `has no field "${keys?.[0]?.slice(0, 100) ?? ''}"` : undefined,
};
