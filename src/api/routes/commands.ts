import { z } from 'zod';
import { CommandRequest } from '../../task/commands.js';
import { readJson } from '../body.js';
import { COMMAND_BODY, commandQuery } from '../command-query.js';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { commandSeqOf, parseQuery, taskIdOf, waitMs } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Says something to a task. */
export const addCommand: Route = {
  method: 'post',
  path: '/api/v1/tasks/:id/commands',
  doc: {
    summary: 'Say something to a task that waits or runs: it reads it through its socket',
    headers: OWNER_HEADER,
    body: { CommandRequest },
    answers: { 'application/json': 'CommandView' },
    errors: [
      'invalid_input',
      'permission_denied',
      'not_found',
      'conflict',
      'payload_too_large',
      'unsupported_media_type',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const taskId = taskIdOf(req);
    const body = await readJson(ctx, req, res, COMMAND_BODY);
    sendJson(res, await ctx.service.commands.add(taskId, body, ownerOf(req)));
  },
};

/** Lists the commands of a task. */
export const commands: Route = {
  method: 'get',
  path: '/api/v1/tasks/:id/commands',
  doc: {
    summary: 'What was said to a task, in order; with wait_ms as soon as there is something',
    query: commandQuery,
    answers: { 'application/json': 'CommandPage' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const taskId = taskIdOf(req);
    const { after_seq: afterSeq, limit, wait_ms } = parseQuery(commandQuery, req);
    const page = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.service.commands.page(taskId, { afterSeq, limit, waitMs: wait }, signal),
    );
    if (page !== undefined) sendJson(res, page);
  },
};

const query = z.object({ wait_ms: waitMs });

/** Answers one command, at once or when it is over. */
export const command: Route = {
  method: 'get',
  path: '/api/v1/tasks/:id/commands/:seq',
  doc: {
    summary: 'A command of a task; with wait_ms as soon as it is completed, failed or cancelled, or then',
    query,
    answers: { 'application/json': 'CommandView' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const [taskId, seq] = [taskIdOf(req), commandSeqOf(req)];
    const { wait_ms } = parseQuery(query, req);
    const view = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.service.commands.command(taskId, seq, wait, signal),
    );
    if (view !== undefined) sendJson(res, view);
  },
};
