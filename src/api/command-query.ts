import { z } from 'zod';
import { VALUE_MAX_BYTES } from '../task/commands.js';
import type { JsonBounds } from './json-bounds.js';
import { waitMs, wholeNumber } from './query.js';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 200;

/** What commands are asked for by. */
export const commandQuery = z.object({
  after_seq: wholeNumber({ description: 'Only commands with a greater seq.' }).default(0),
  limit: wholeNumber({
    description: `How many at most; ${LIMIT_DEFAULT} by default.`,
    min: 1,
    max: LIMIT_MAX,
  }).default(LIMIT_DEFAULT),
  wait_ms: waitMs,
});

/** For a body that holds one payload or result: each of its characters may be written as `\uXXXX`. */
export const COMMAND_BODY: JsonBounds = {
  bytes: 6 * VALUE_MAX_BYTES + 65_536,
  depth: 64,
  keys: 10_000,
  values: 50_000,
};
