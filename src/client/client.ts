import type { TaskEdit } from '../task/edit.js';
import type { HeadTailView, OutputBytes, OutputStream } from '../task/output.js';
import type { BulkAnswer, BulkRequest } from '../task/actions.js';
import type { PlannedTask } from '../task/plan.js';
import type { ReadMark } from '../task/read-mark.js';
import type { RetryAnswer } from '../task/rerun.js';
import type { BatchSubmission, TaskSubmission } from '../task/request.js';
import type { EventFilter } from '../task/events.js';
import type {
  BatchItem,
  ChangesPage,
  EventPage,
  EventView,
  SubmitAnswer,
  TaskSummary,
  TaskView,
  WaitAnswer,
} from '../task/view.js';
import type { WaitMode } from '../task/wait-mode.js';
import type { Abortable } from './calls.js';
import { DaemonClient } from './daemon-client.js';
import { ExecgoTimeoutError } from './errors.js';
import { taskPath } from './paths.js';
import { MAX_LONG_POLL_MS, until } from './retry.js';
import type { Change, ChangesOptions, KillOptions, ListFilter, ListPage, OutputEvent } from './types.js';

/**
 * Typed client of one daemon. Every method throws ExecgoApiError when the daemon refuses, ExecgoConnectionError when no
 * usable answer comes, and the signal's reason when its `signal` aborts. What only the followers need is loaded by them,
 * so that a command that asks one question starts fast.
 */
export class ExecgoClient extends DaemonClient {
  /** Sent at most once, unless the request has an idempotency key. Resolves once the task is durable. */
  async submit(request: TaskSubmission, options: Abortable = {}): Promise<SubmitAnswer> {
    const repeatable = (request.control_context?.idempotency_key ?? undefined) !== undefined;
    return this.calls.post('/api/v1/tasks', { ...options, body: request, repeatable });
  }

  /**
   * Up to 1,000 tasks in few transactions, with an answer for each, in order. One may start after others of the batch: it names their
   * `ref` in `policy.after`.
   */
  async submitBatch(requests: BatchSubmission[], options: Abortable = {}): Promise<BatchItem[]> {
    const body = { tasks: requests };
    return this.calls.post('/api/v1/tasks/batch', { ...options, body, repeatable: false });
  }

  /** What would be enforced and reserved, or the refusal; nothing is accepted. */
  async dryRun(request: TaskSubmission, options: Abortable = {}): Promise<PlannedTask> {
    const query = { dry_run: true };
    return this.calls.post('/api/v1/tasks', { ...options, query, body: request, repeatable: true });
  }

  /**
   * How a task is.
   * @param options.waitMs answer as soon as the task is terminal, or after this many milliseconds (at most 60,000)
   * @param options.tree with its children, and theirs
   * @param options.patient bear a daemon that is out of reach, as {@link wait} does
   */
  async status(
    taskId: string,
    options: Abortable & {
      waitMs?: number | undefined;
      tree?: boolean | undefined;
      patient?: boolean | undefined;
    } = {},
  ): Promise<TaskView> {
    const { waitMs, signal, patient, tree } = options;
    const ask = (): Promise<TaskView> =>
      this.calls.get(taskPath(taskId), { query: { wait_ms: waitMs, tree }, waitMs, signal });
    return patient === true ? this.patiently(ask, signal) : ask();
  }

  /** What was sent when the task was submitted. */
  async request(taskId: string, options: Abortable = {}): Promise<TaskSubmission> {
    return this.calls.get(`${taskPath(taskId)}/request`, options);
  }

  /**
   * Waits until the task is terminal, also across a restart of the daemon.
   * @throws ExecgoTimeoutError when `timeoutMs` run out first.
   */
  async wait(
    taskId: string,
    options: Abortable & { timeoutMs?: number | undefined } = {},
  ): Promise<TaskView> {
    return until(
      this.reconnectMs,
      (waitMs, signal) => this.status(taskId, { waitMs, signal }),
      ({ status }) => status !== 'accepted' && status !== 'running',
      options,
      (timeoutMs) => new ExecgoTimeoutError(taskId, timeoutMs),
    );
  }

  /**
   * Waits until one of the tasks has ended, or all of them, also across a restart of the daemon. A task that is deleted meanwhile
   * is not found.
   * @returns all of them as they are then, in that order
   * @throws ExecgoTimeoutError when `timeoutMs` run out first.
   */
  async waitForSome(
    taskIds: readonly string[],
    options: Abortable & { mode?: WaitMode | undefined; timeoutMs?: number | undefined } = {},
  ): Promise<WaitAnswer> {
    const { mode, timeoutMs, signal } = options;
    const { waitForSome } = await import('./wait-for-some.js');
    const ids = taskIds.join(',');
    const ask = (waitMs: number): Promise<WaitAnswer> =>
      this.calls.get('/api/v1/wait', { query: { ids, mode, wait_ms: waitMs }, waitMs, signal });
    return waitForSome(ask, taskIds, { timeoutMs, reconnectMs: this.reconnectMs, signal });
  }

  /**
   * Changes a task that waits: what `changes` names, and `null` takes back. With `if_version` only if it has that version:
   * the error `conflict` has the present one in its details.
   * @returns its status afterwards
   */
  async edit(
    taskId: string,
    changes: TaskEdit,
    options: Abortable & { owner?: string | undefined } = {},
  ): Promise<TaskView> {
    const { owner, signal } = options;
    return this.calls.patch(taskPath(taskId), { signal, owner, body: changes });
  }

  /** Lets a task start that is held; one that waits for something else goes on doing so. @returns its status afterwards. */
  async release(taskId: string, options: { owner?: string | undefined } = {}): Promise<TaskView> {
    return this.calls.post(`${taskPath(taskId)}/release`, { ...options, repeatable: false });
  }

  /** Cancels a task; one that is terminal already stays as it is. @returns its status after the request. */
  async kill(taskId: string, options: KillOptions = {}): Promise<TaskView> {
    const { owner, reason, signal, graceMs, waitMs, children } = options;
    return this.calls.post(`${taskPath(taskId)}/kill`, {
      query: { reason, signal, grace_ms: graceMs, wait_ms: waitMs, children },
      owner,
      waitMs,
      repeatable: true,
    });
  }

  /**
   * Runs a task that has ended again, as a new one with the same request: once, however often it is asked, unless `again` says
   * that another is wanted.
   */
  async retry(
    taskId: string,
    options: Abortable & { owner?: string | undefined; again?: boolean | undefined } = {},
  ): Promise<RetryAnswer> {
    const { again = false, ...call } = options;
    return this.calls.post(`${taskPath(taskId)}/retry`, { ...call, query: { again }, repeatable: !again });
  }

  /**
   * Stops a running task, and its wall time, until it is resumed or killed; one that is paused stays so. @returns its status
   * once nothing of it runs any more.
   */
  async pause(taskId: string, options: { owner?: string | undefined } = {}): Promise<TaskView> {
    return this.calls.post(`${taskPath(taskId)}/pause`, { ...options, repeatable: true });
  }

  /** Lets a paused task go on; one that runs already does. @returns its status after that. */
  async resume(taskId: string, options: { owner?: string | undefined } = {}): Promise<TaskView> {
    return this.calls.post(`${taskPath(taskId)}/resume`, { ...options, repeatable: true });
  }

  /**
   * Says that a reader has seen a task: as it is, or as it was at a version. A list with `reader` and `unread` shows it again once
   * it has changed.
   */
  async markRead(
    taskId: string,
    reader: string,
    options: Abortable & { version?: number | undefined } = {},
  ): Promise<ReadMark> {
    const { version, signal } = options;
    const path = `${taskPath(taskId)}/read/${encodeURIComponent(reader)}`;
    return this.calls.put(path, { signal, body: { version }, repeatable: true });
  }

  /** One page of the task list, with those fields of each task that `filter.fields` names, or all. */
  async list<Field extends keyof TaskSummary = keyof TaskSummary>(
    filter: ListFilter & { fields?: readonly Field[] | undefined } = {},
    options: Abortable = {},
  ): Promise<ListPage<Field>> {
    const words = (list: readonly string[] | undefined) => (list?.length === 0 ? undefined : list?.join(','));
    const query = { ...filter, status: words(filter.status), fields: words(filter.fields) };
    return this.calls.get('/api/v1/tasks', { ...options, query });
  }

  /**
   * One page of what became of tasks since the version `changed_after`: see {@link changes}, which reads them all.
   * @param query.wait_ms hold the answer until something changes, so many milliseconds at most
   */
  async changesPage(
    query: Pick<ListFilter, 'tenant' | 'owner' | 'session_id' | 'limit' | 'cursor'> & {
      changed_after: number;
      wait_ms?: number | undefined;
    },
    options: Abortable = {},
  ): Promise<ChangesPage> {
    return this.calls.get('/api/v1/tasks', { ...options, query, waitMs: query.wait_ms });
  }

  /**
   * What became of tasks since a version, in the order of the changes, for who keeps a copy of them: none is missed, and each
   * task comes once in a round. Bears a restart of the daemon. Where it is too late to know all that was deleted, a `reset`
   * comes, and then all tasks.
   */
  async *changes(options: ChangesOptions = {}): AsyncGenerator<Change> {
    const { after, follow, signal, ...filter } = options;
    const { changes } = await import('./changes.js');
    const ask = (query: Parameters<ExecgoClient['changesPage']>[0]) =>
      this.patiently(() => this.changesPage({ ...filter, ...query }, { signal }), signal);
    yield* changes(ask, { after, follow });
  }

  /** Every task that the filter lets through, page after page; `filter.limit` is the length of a page. */
  async *listAll(filter: ListFilter = {}, options: Abortable = {}): AsyncGenerator<TaskSummary> {
    let cursor = filter.cursor;
    do {
      const page = await this.list({ ...filter, cursor }, options);
      yield* page.tasks;
      cursor = page.next_cursor;
    } while (cursor !== undefined);
  }

  /** Events of one task with `seq > afterSeq`; all of them without `limit`. */
  async taskEvents(
    taskId: string,
    options: Abortable & { afterSeq?: number | undefined; limit?: number | undefined } = {},
  ): Promise<EventView[]> {
    const query = { after_seq: options.afterSeq, limit: options.limit };
    return this.calls.get(`${taskPath(taskId)}/events`, { query, signal: options.signal });
  }

  /** Events of all tasks with `seq > afterSeq`; waits up to `waitMs` for the first. */
  async events(
    options: Abortable & {
      afterSeq?: number | undefined;
      limit?: number | undefined;
      waitMs?: number | undefined;
    } = {},
  ): Promise<EventView[]> {
    const { afterSeq, limit, waitMs, signal } = options;
    const query = { after_seq: afterSeq, limit, wait_ms: waitMs };
    return this.calls.get('/api/v1/events', { query, waitMs, signal });
  }

  /**
   * Events with `seq > afterSeq` that the filter lets through, from a part of the history: go on after `last_seq`. At its end waits
   * up to `waitMs` for the first.
   */
  async eventsWhere(
    filter: EventFilter,
    options: Abortable & {
      afterSeq?: number | undefined;
      limit?: number | undefined;
      waitMs?: number | undefined;
    } = {},
  ): Promise<EventPage> {
    const { afterSeq, limit, waitMs, signal } = options;
    const query = { ...filterQuery(filter), after_seq: afterSeq, limit, wait_ms: waitMs };
    return this.calls.get('/api/v1/events', { query, waitMs, signal });
  }

  /**
   * Events of all tasks with `seq > afterSeq` (without it: from now on), or those that a filter lets through, and then each as it
   * happens; also across a restart of the daemon.
   */
  async *followEvents(
    options: Abortable & { afterSeq?: number | undefined; filter?: EventFilter | undefined } = {},
  ): AsyncGenerator<EventView> {
    const { follow } = await import('./follow.js');
    const events = follow(this.http, {
      path: '/api/v1/events',
      query: { ...filterQuery(options.filter ?? {}), after_seq: options.afterSeq },
      reconnectMs: this.reconnectMs,
      signal: options.signal,
    });
    for await (const { event, data } of events) if (event === 'message') yield JSON.parse(data) as EventView;
  }

  /** A range of one stream of one attempt, the last by default; `offset` 0 by default, the server's own bound as `limit`. */
  async output(
    taskId: string,
    options: Abortable & {
      stream: OutputStream;
      attempt?: number | undefined;
      offset?: number | undefined;
      limit?: number | undefined;
    },
  ): Promise<OutputBytes> {
    const { stream, attempt, offset, limit, signal } = options;
    const query = { stream, attempt, offset, limit, encoding: 'base64' };
    const path = `${taskPath(taskId)}/output`;
    const answer = await this.calls.get<OutputBytes & { data: string }>(path, { query, signal });
    return { ...answer, data: Buffer.from(answer.data, 'base64') };
  }

  /** Head and tail of one stream of one attempt, the last by default, within so many bytes and lines. */
  async outputView(
    taskId: string,
    options: Abortable & {
      stream: OutputStream;
      attempt?: number | undefined;
      maxBytes?: number | undefined;
      maxLines?: number | undefined;
    },
  ): Promise<HeadTailView> {
    const { stream, attempt, maxBytes, maxLines, signal } = options;
    const query = { stream, attempt, view: 'head_tail', max_bytes: maxBytes, max_lines: maxLines };
    return this.calls.get(`${taskPath(taskId)}/output`, { query, signal });
  }

  /**
   * The output of a task from `offset` on and as it comes, until its end; also across a restart of the daemon. `attempt` is the one to
   * begin with, the last by default; those after it follow.
   */
  async *followOutput(
    taskId: string,
    options: Abortable & {
      stream?: OutputStream | 'both' | undefined;
      attempt?: number | undefined;
      offset?: number | undefined;
    } = {},
  ): AsyncGenerator<OutputEvent> {
    const { followOutput } = await import('./output-events.js');
    yield* followOutput(this.http, {
      path: `${taskPath(taskId)}/output/stream`,
      query: {
        stream: options.stream ?? 'both',
        attempt: options.attempt,
        offset: options.offset,
        encoding: 'base64',
      },
      reconnectMs: this.reconnectMs,
      signal: options.signal,
    });
  }

  /**
   * Does one thing with many tasks, named or chosen by a filter. Each has an answer of its own; of what a filter chooses
   * `next_cursor` tells whether there is more.
   */
  async actions(
    request: BulkRequest,
    options: Abortable & { owner?: string | undefined } = {},
  ): Promise<BulkAnswer> {
    return this.calls.post('/api/v1/tasks/actions', {
      ...options,
      body: request,
      waitMs: MAX_LONG_POLL_MS,
      repeatable: false,
    });
  }

  /** Deletes a terminal task and its files. */
  async delete(taskId: string, options: Abortable & { owner?: string | undefined } = {}): Promise<void> {
    await this.calls.delete(taskPath(taskId), options);
  }
}

const filterQuery = ({ event_type, ...rest }: EventFilter) => ({
  ...rest,
  event_type: event_type?.join(','),
});
