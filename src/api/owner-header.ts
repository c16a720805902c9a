import { isUtf8 } from 'node:buffer';
import type { Request } from 'express';

/** The header's entry in the specification. */
export const OWNER_HEADER = {
  'x-execgo-owner': "Must equal the task's owner, where it has one; in UTF-8.",
};

/**
 * The owner in whose name the request is made. Node reads a header as Latin-1, clients send UTF-8; anything else is taken as
 * it is.
 */
export function ownerOf(req: Request): string | undefined {
  const text = req.get('x-execgo-owner');
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : text;
}
