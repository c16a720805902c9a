import type { Request } from 'express';
import { z } from 'zod';
import { sessionNotFound } from '../task/errors.js';
import { word } from './query.js';

/** The parameters of every route of one session. */
export const sessionQuery = z.object({
  tenant: word(
    'Whose session it must be: another tenant has none with this id. Without it, whoever has it.',
  ).optional(),
});

/** The session id in the path. @throws ExecgoError `not_found` when there is none */
export function sessionIdOf(req: Request): string {
  const { id } = req.params;
  if (typeof id !== 'string') throw sessionNotFound(String(id));
  return id;
}
