import { isUtf8 } from 'node:buffer';
import type { Request } from 'express';

/** What the specification says about it. */
export const OWNER_HEADER = {
  'x-execgo-owner': "Must equal the task's owner, where it has one; in UTF-8.",
};

/** Who asks. Node reads a header as Latin-1; clients send UTF-8, and what is none is taken as it is. */
export function ownerOf(req: Request): string | undefined {
  const text = req.get('x-execgo-owner');
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : text;
}
