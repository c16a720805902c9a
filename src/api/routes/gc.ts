import { z } from 'zod';
import type { Request, Response } from 'express';
import type { GcRequest } from '../../task/gc.js';
import { invalidInput } from '../../task/errors.js';
import { invalidInputFrom } from '../../task/validate.js';
import { hasBody, readJson } from '../body.js';
import type { ApiContext } from '../context.js';
import { oneOf, parseQuery, wholeNumber } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const age = (unit: string) =>
  `Only tasks that ended so many ${unit} ago or earlier, all of them; without it, what the daemon is told to keep decides.`;
const MS = age('milliseconds');
const SECS = age('seconds');
const DRY_RUN = 'Remove nothing, say what would be removed.';

const query = z.object({
  older_than_ms: wholeNumber({ description: MS }).optional(),
  older_than_secs: wholeNumber({ description: SECS }).optional(),
  dry_run: oneOf(['true', 'false'], DRY_RUN).optional(),
});

const number = z.int('must be a whole number').min(0, 'must be at least 0');
const body = z.object({
  older_than_ms: number.nullish().describe(MS),
  older_than_secs: number.nullish().describe(SECS),
  dry_run: z.boolean('must be true or false').nullish().describe(DRY_RUN),
});

/** Collects garbage now. The options may be in a JSON body or in the query; the query wins. */
export const gc: Route = {
  method: 'post',
  path: '/api/v1/gc',
  doc: {
    summary: 'Remove ended tasks that are due, or say which would be removed',
    query,
    body: { GcRequest: body.optional() },
    answers: { 'application/json': 'GcReport' },
    errors: [
      'invalid_input',
      'payload_too_large',
      'unsupported_media_type',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    sendJson(res, await ctx.service.gc(await requestOf(ctx, req, res)));
  },
};

async function requestOf(ctx: ApiContext, req: Request, res: Response): Promise<GcRequest> {
  const asked = parseQuery(query, req);
  const parsed = body.safeParse(hasBody(req) ? await readJson(ctx, req, res) : {});
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  const ms = asked.older_than_ms ?? parsed.data.older_than_ms ?? undefined;
  const secs = asked.older_than_secs ?? parsed.data.older_than_secs ?? undefined;
  if (ms !== undefined && secs !== undefined)
    throw invalidInput('older_than_secs: older_than_ms is given, too');
  return {
    older_than_ms: ms ?? (secs === undefined ? undefined : secs * 1000),
    dry_run: asked.dry_run === undefined ? (parsed.data.dry_run ?? false) : asked.dry_run === 'true',
  };
}
