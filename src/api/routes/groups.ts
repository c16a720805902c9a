import { z } from 'zod';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { oneOf, parseQuery, queueOf, waitMs, wholeNumber, word } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { killQuery } from './kill.js';

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;
/** Most tasks that one request runs again. */
const RETRY_MAX = 1_000;
const RETRY_DEFAULT = 100;

const tenant = word('Whose group it is; without it one of those without a tenant.').optional();
const listQuery = z.object({
  tenant,
  limit: wholeNumber({
    description: `Groups a page; ${PAGE_DEFAULT} by default.`,
    min: 1,
    max: PAGE_MAX,
  }).default(PAGE_DEFAULT),
  cursor: word('next_cursor of the page before.').optional(),
});
const oneQuery = z.object({ tenant, wait_ms: waitMs });
const retryQuery = z.object({
  tenant,
  cancelled: oneOf(
    ['true', 'false'],
    'Also what was cancelled for another reason than a dependency.',
  ).default('false'),
  limit: wholeNumber({
    description: `How many tasks are run again; ${RETRY_DEFAULT} by default. Those that they start after come on top.`,
    min: 1,
    max: RETRY_MAX,
  }).default(RETRY_DEFAULT),
  cursor: word('next_cursor of the answer before.').optional(),
});
const endQuery = killQuery.extend({ tenant });

/** Lists the groups of a tenant, a page at a time. */
export const groups: Route = {
  method: 'get',
  path: '/api/v1/groups',
  doc: {
    summary: 'List the groups of a tenant that have tasks, by name',
    query: listQuery,
    answers: { 'application/json': 'GroupPage' },
    errors: ['invalid_input'],
  },
  handle: ({ service }, req, res) => {
    sendJson(res, service.groups(parseQuery(listQuery, req)));
  },
};

/** Tells how a group is, at once or when all of its tasks have ended. */
export const group: Route = {
  method: 'get',
  path: '/api/v1/groups/:name',
  doc: {
    summary: 'A group: its tasks by status, and those that failed first',
    query: oneQuery,
    answers: { 'application/json': 'GroupView' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const name = queueOf(req);
    const { tenant: whose, wait_ms } = parseQuery(oneQuery, req);
    const view = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.service.group(whose, name, wait, signal),
    );
    if (view !== undefined) sendJson(res, view);
  },
};

/** Kills what waits and runs of a group. */
export const killGroup: Route = {
  method: 'post',
  path: '/api/v1/groups/:name/kill',
  doc: {
    summary: 'Cancel the tasks of a group that wait or run; answers how it is then',
    query: endQuery,
    headers: OWNER_HEADER,
    answers: { 'application/json': 'GroupKillAnswer' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const name = queueOf(req);
    const { tenant: whose, reason, signal: first, grace_ms, wait_ms } = parseQuery(endQuery, req);
    const owner = ownerOf(req);
    const view = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.service.killGroup(whose, name, { owner, reason, signal: first, grace_ms, wait_ms: wait }, signal),
    );
    if (view !== undefined) sendJson(res, view);
  },
};

/** Runs again what of a group did not succeed. A body is not read. */
export const retryGroup: Route = {
  method: 'post',
  path: '/api/v1/groups/:name/retry',
  doc: {
    summary: 'Run again the tasks of a group that failed, and those that were cancelled because of that',
    query: retryQuery,
    headers: OWNER_HEADER,
    answers: { 'application/json': 'GroupRetryAnswer' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async ({ service }, req, res) => {
    const { cancelled, ...query } = parseQuery(retryQuery, req);
    const answer = await service.retryGroup(
      queueOf(req),
      { ...query, cancelled: cancelled === 'true' },
      ownerOf(req),
    );
    sendJson(res, answer);
  },
};
