import type { Request, Response } from 'express';
import { z } from 'zod';
import { CAUSES } from '../../task/causes.js';
import { invalidInput } from '../../task/errors.js';
import { LIST_ORDERS, type ListQuery } from '../../task/list.js';
import { TASK_STATUSES } from '../../task/states.js';
import { TaskSummary } from '../../task/view.js';
import type { ApiContext } from '../context.js';
import { instant, oneOf, parseQuery, waitMs, wholeNumber, word, words } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1_000;

const statuses = words
  .pipe(z.array(z.enum(TASK_STATUSES, `must be some of ${TASK_STATUSES.join(', ')}`)))
  .meta({
    type: 'string',
    anyOf: undefined,
    description: `Some of ${TASK_STATUSES.join(', ')}: separated by commas, or given several times.`,
  });

const time = (what: string) => instant(`${what}: RFC 3339.`).optional();

const FIELDS = TaskSummary.keyof();
type Field = z.output<typeof FIELDS>;

const fields = word('Only these fields of each task, and task_id: separated by commas.')
  .transform((given) => given.split(','))
  .pipe(z.array(z.enum(FIELDS.options, `must be some of ${FIELDS.options.join(', ')}`)));

const query = z.object({
  status: statuses.optional(),
  cause: oneOf([...CAUSES], 'Why it ended.').optional(),
  tenant: word('Exact tenant.').optional(),
  owner: word('Exact owner.').optional(),
  queue: word('Exact queue.').optional(),
  lane: word('Exact lane.').optional(),
  session_id: word('Exact session.').optional(),
  group: word('Exact group.').optional(),
  parent: word('Exact id of the task whose children they are.').optional(),
  label: word('key, or key=value.').optional(),
  text: word('Part of the task id or of the command.').optional(),
  created_after: time('Submitted at this time or later'),
  created_before: time('Submitted earlier than this'),
  finished_after: time('Ended at this time or later'),
  finished_before: time('Ended earlier than this'),
  order: oneOf(
    [...LIST_ORDERS],
    'Which come first: newest and oldest by submission; created and finished by the clock, the latest first; priority: waiting tasks, the highest first, then the oldest. Without it finished or created where such a time is given, else newest.',
  ).optional(),
  fields: fields
    .meta({
      type: 'string',
      description: 'Only these fields of each task, and task_id: separated by commas.',
    })
    .optional(),
  reverse: oneOf(['true', 'false'], 'The other way round.').optional(),
  changed_after: wholeNumber({
    description:
      'What changed or was deleted since this version, in the order of the changes; 0: all tasks. Only tenant, owner, session_id, reader and unread, fields, limit, cursor and wait_ms go with it.',
  }).optional(),
  wait_ms: waitMs,
  reader: word('With unread=true: who reads.').optional(),
  unread: oneOf(['true'], 'Only tasks that the reader has not seen as they are.').optional(),
  limit: wholeNumber({
    description: `Tasks a page; ${PAGE_DEFAULT} by default.`,
    min: 1,
    max: PAGE_MAX,
  }).default(PAGE_DEFAULT),
  cursor: word('next_cursor of the page before.').optional(),
});
type Asked = Omit<z.output<typeof query>, 'reader' | 'unread'> & { unread_by?: string };

/** What nothing changes of a task: with any other condition, a task that does not meet it any more would not be told. */
const WITH_CHANGES = new Set([
  ...['tenant', 'owner', 'session_id', 'changed_after', 'fields', 'wait_ms', 'limit', 'cursor'],
  ...['reader', 'unread'],
]);

/** Lists tasks, a page at a time: all of them, or what changed since a version. */
export const list: Route = {
  method: 'get',
  path: '/api/v1/tasks',
  doc: {
    summary:
      'List tasks, newest first by default, or what changed since a version; all conditions hold at once',
    query,
    answers: { 'application/json': 'TaskListAnswer' },
    errors: ['invalid_input', 'gone'],
  },
  handle: async (ctx, req, res) => {
    const { reader, unread, ...parsed } = parseQuery(query, req);
    if ((reader === undefined) !== (unread === undefined))
      throw invalidInput('reader: goes with unread=true, and that with a reader');
    const asked = { ...parsed, ...(reader === undefined ? {} : { unread_by: reader }) };
    if (asked.changed_after === undefined) await sendTasks(ctx, asked, res);
    else await sendChanges(ctx, { ...asked, changed_after: asked.changed_after }, req, res);
  },
};

async function sendTasks(ctx: ApiContext, { fields, ...asked }: Asked, res: Response): Promise<void> {
  const query = listQuery(asked);
  await whileThere(res, async (signal) => {
    sendJson(res, withFields(await ctx.service.list(query, signal), fields));
  });
}

/** A page with only these fields of each task. */
function withFields<T extends { tasks: TaskSummary[] }>(page: T, fields: readonly Field[] | undefined) {
  if (fields === undefined) return page;
  const names = new Set<Field>(['task_id', ...fields]);
  const tasks = page.tasks.map((task) => Object.fromEntries([...names].map((name) => [name, task[name]])));
  return { ...page, tasks };
}

async function sendChanges(
  ctx: ApiContext,
  {
    tenant,
    owner,
    session_id,
    unread_by,
    changed_after,
    limit,
    cursor,
    wait_ms,
    fields,
  }: Asked & { changed_after: number },
  req: Request,
  res: Response,
): Promise<void> {
  const other = Object.keys(query.shape).find((name) => name in req.query && !WITH_CHANGES.has(name));
  if (other !== undefined)
    throw invalidInput(
      `${other}: does not go with changed_after: a task that stops to meet it would not be told`,
    );
  const asked = { tenant, owner, session_id, unread_by, changed_after, limit, cursor };
  if (wait_ms === 0)
    await whileThere(res, async (signal) => {
      sendJson(res, withFields(await ctx.service.changes(asked, 0, signal), fields));
    });
  else {
    const page = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.service.changes(asked, wait, signal),
    );
    if (page !== undefined) sendJson(res, withFields(page, fields));
  }
}

/** Does something that ends when the client has gone. */
async function whileThere(res: Response, action: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const gone = new AbortController();
  res.once('close', () => {
    gone.abort();
  });
  try {
    await action(gone.signal);
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  }
}

/** The rows that are asked for, and their order. @throws ExecgoError `invalid_input` for what shows nothing, whatever there is */
function listQuery({
  changed_after: _none,
  wait_ms,
  reverse,
  order: given,
  ...rest
}: Omit<Asked, 'fields'>): ListQuery {
  if (wait_ms > 0) throw invalidInput('wait_ms: goes with changed_after only');
  const order = given ?? orderByTimes(rest);
  const has = (...statuses: string[]) =>
    rest.status === undefined || rest.status.some((s) => statuses.includes(s));
  if (order === 'priority' && !has('accepted'))
    throw invalidInput('order: priority is for tasks that wait: status must be accepted, or not given');
  if (order === 'finished' && !has('success', 'failed', 'cancelled'))
    throw invalidInput('order: finished is for tasks that have ended: give no status that has no end');
  return { ...rest, order, ...(reverse === 'true' ? { reverse: true } : {}) };
}

function orderByTimes(times: Partial<Asked>): ListQuery['order'] {
  if (times.finished_after !== undefined || times.finished_before !== undefined) return 'finished';
  return times.created_after !== undefined || times.created_before !== undefined ? 'created' : 'newest';
}
