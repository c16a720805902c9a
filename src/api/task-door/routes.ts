import { CommandFinish } from '../../task/commands.js';
import { ProgressReport } from '../../task/progress.js';
import { DATA_MAX_BYTES, TaskEventReport } from '../../task/task-event.js';
import { readJson } from '../body.js';
import { COMMAND_BODY, commandQuery } from '../command-query.js';
import type { JsonBounds } from '../json-bounds.js';
import { commandSeqOf, parseQuery } from '../query.js';
import { sendJson, sendText } from '../respond.js';
import type { TaskRoute } from './context.js';

/** For what a task says of how far it is: each character of its words may be written as `\uXXXX`. */
const PROGRESS_BODY: JsonBounds = { bytes: 4_096, depth: 8, keys: 100, values: 100 };
/** For an event, whose data may be written so, too. */
const EVENT_BODY: JsonBounds = { bytes: 6 * DATA_MAX_BYTES + 4_096, depth: 64, keys: 10_000, values: 10_000 };

const commands: TaskRoute = {
  method: 'get',
  path: '/commands',
  doc: {
    summary: 'What is still to be done, in order, read or not; with wait_ms as soon as there is something',
    query: commandQuery,
    answers: { 'application/json': 'CommandPage' },
    errors: ['invalid_input', 'gone'],
  },
  handle: async (ctx, req, res) => {
    const { after_seq: afterSeq, limit, wait_ms } = parseQuery(commandQuery, req);
    const page = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.tasks.commands(ctx.caller, { afterSeq, limit, waitMs: wait }, signal),
    );
    if (page !== undefined) sendJson(res, page);
  },
};

const acknowledge: TaskRoute = {
  method: 'post',
  path: '/commands/:seq/ack',
  doc: {
    summary: 'Say that a command was read',
    answers: { 'application/json': 'CommandView' },
    errors: ['not_found', 'conflict', 'gone', 'unavailable', 'insufficient_storage'],
  },
  handle: async ({ tasks, caller }, req, res) => {
    sendJson(res, await tasks.acknowledge(caller, commandSeqOf(req)));
  },
};

const finish: TaskRoute = {
  method: 'post',
  path: '/commands/:seq/finish',
  doc: {
    summary: 'Say how a command was carried out',
    body: { CommandFinish },
    answers: { 'application/json': 'CommandView' },
    errors: [
      'invalid_input',
      'not_found',
      'conflict',
      'gone',
      'payload_too_large',
      'unsupported_media_type',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const seq = commandSeqOf(req);
    const body = await readJson(ctx, req, res, COMMAND_BODY);
    sendJson(res, await ctx.tasks.finish(ctx.caller, seq, body));
  },
};

const progress: TaskRoute = {
  method: 'post',
  path: '/progress',
  doc: {
    summary: 'Say how far it is; of several within a second the newest counts',
    body: { ProgressReport },
    answers: { 'application/json': 'ProgressAnswer' },
    errors: ['gone', 'payload_too_large', 'unsupported_media_type', 'unavailable', 'insufficient_storage'],
  },
  handle: async (ctx, req, res) => {
    sendJson(res, await ctx.tasks.progress(ctx.caller, await readJson(ctx, req, res, PROGRESS_BODY)));
  },
};

const event: TaskRoute = {
  method: 'post',
  path: '/event',
  doc: {
    summary: 'Add an event to its own history',
    body: { TaskEventReport },
    answers: { 'application/json': 'TaskEventAnswer' },
    errors: [
      'gone',
      'payload_too_large',
      'unsupported_media_type',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    ctx.tasks.expectEvent(ctx.caller);
    sendJson(res, await ctx.tasks.event(ctx.caller, await readJson(ctx, req, res, EVENT_BODY)));
  },
};

const openapi: TaskRoute = {
  method: 'get',
  path: '/openapi.json',
  doc: {
    summary: 'This specification',
    answers: { 'application/json': undefined },
    errors: [],
  },
  handle: async ({ specification }, _req, res) => {
    sendText(res, await specification(), 'application/json');
  },
};

/** Every route of the task socket: none of them is one of the API, and none of the API is here. */
export const taskRoutes: readonly TaskRoute[] = [commands, acknowledge, finish, progress, event, openapi];
