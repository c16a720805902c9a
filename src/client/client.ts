import type { TaskEdit } from '../task/edit.js';
import type { GcRequest } from '../task/gc.js';
import type { HeadTailView, OutputBytes, OutputStream } from '../task/output.js';
import type { NotifyTestAnswer } from '../task/notification-view.js';
import type { NotifyTestRequest } from '../task/notify-schema.js';
import type { PlannedTask } from '../task/plan.js';
import type { RetryAnswer } from '../task/rerun.js';
import type { QueuePage, QueueQuery, QueueView } from '../task/queues.js';
import type { BatchSubmission, TaskSubmission } from '../task/request.js';
import type {
  Capabilities,
  GcReport,
  RuntimeConfig,
  RuntimeInfo,
  RuntimeResources,
} from '../task/runtime-view.js';
import type { BatchItem, ChangesPage, EventView, SubmitAnswer, TaskSummary, TaskView } from '../task/view.js';
import { Calls, type Abortable } from './calls.js';
import { ExecgoTimeoutError } from './errors.js';
import { FileClient } from './files.js';
import { HttpTransport } from './http.js';
import { GroupClient } from './group-client.js';
import { queuePath, taskPath } from './paths.js';
import { MAX_LONG_POLL_MS, patiently, until } from './retry.js';
import { SessionClient } from './sessions.js';
import type { Change, ChangesOptions, KillOptions, ListFilter, ListPage, OutputEvent } from './types.js';

/** How long a restarting daemon is waited for, in milliseconds. */
const DEFAULT_RECONNECT_MS = 60_000;

export interface ClientOptions {
  /** `http://host:port` or `unix:/path/to/socket`. */
  server: string;
  /** How long an answer may take beyond what the request itself asks to wait, in milliseconds; 60,000 by default. */
  requestTimeoutMs?: number | undefined;
  /** How long `wait` and the followers bear a daemon that is out of reach, in milliseconds; 60,000 by default. */
  reconnectMs?: number | undefined;
}

/**
 * Typed client of one daemon. Every method throws ExecgoApiError when the daemon refuses, ExecgoConnectionError when no
 * usable answer comes, and the signal's reason when its `signal` aborts. What only the followers need is loaded by them,
 * so that a command that asks one question starts fast.
 */
export class ExecgoClient extends GroupClient {
  readonly #http: HttpTransport;
  readonly #calls: Calls;
  readonly #reconnectMs: number;
  /** Sessions: workspaces that tasks share. */
  readonly sessions: SessionClient;
  /** Files in workspaces of sessions and tasks. */
  readonly files: FileClient;

  /** @throws TypeError when `server` is not an address. */
  constructor(options: ClientOptions) {
    const http = new HttpTransport(options.server);
    const calls = new Calls(http, options.requestTimeoutMs);
    const reconnectMs = options.reconnectMs ?? DEFAULT_RECONNECT_MS;
    super(calls, reconnectMs);
    this.#http = http;
    this.#calls = calls;
    this.#reconnectMs = reconnectMs;
    this.sessions = new SessionClient(this.#calls);
    this.files = new FileClient(this.#http, this.#calls);
  }

  /** Closes kept connections. A process that has no other work ends without it, too. */
  close(): void {
    this.#http.close();
  }

  /** Sent at most once, unless the request has an idempotency key. Resolves once the task is durable. */
  async submit(request: TaskSubmission, options: Abortable = {}): Promise<SubmitAnswer> {
    const repeatable = (request.control_context?.idempotency_key ?? undefined) !== undefined;
    return this.#calls.post('/api/v1/tasks', { ...options, body: request, repeatable });
  }

  /**
   * Up to 1,000 tasks in few transactions, with an answer for each, in order. One may start after others of the batch: it names their
   * `ref` in `policy.after`.
   */
  async submitBatch(requests: BatchSubmission[], options: Abortable = {}): Promise<BatchItem[]> {
    const body = { tasks: requests };
    return this.#calls.post('/api/v1/tasks/batch', { ...options, body, repeatable: false });
  }

  /** What would be enforced and reserved, or the refusal; nothing is accepted. */
  async dryRun(request: TaskSubmission, options: Abortable = {}): Promise<PlannedTask> {
    const query = { dry_run: true };
    return this.#calls.post('/api/v1/tasks', { ...options, query, body: request, repeatable: true });
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
      this.#calls.get(taskPath(taskId), { query: { wait_ms: waitMs, tree }, waitMs, signal });
    return patient === true ? patiently(this.#reconnectMs, ask, signal) : ask();
  }

  /** What was sent when the task was submitted. */
  async request(taskId: string, options: Abortable = {}): Promise<TaskSubmission> {
    return this.#calls.get(`${taskPath(taskId)}/request`, options);
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
      this.#reconnectMs,
      (waitMs, signal) => this.status(taskId, { waitMs, signal }),
      ({ status }) => status !== 'accepted' && status !== 'running',
      options,
      (timeoutMs) => new ExecgoTimeoutError(taskId, timeoutMs),
    );
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
    return this.#calls.patch(taskPath(taskId), { signal, owner, body: changes });
  }

  /** Lets a task start that is held; one that waits for something else goes on doing so. @returns its status afterwards. */
  async release(taskId: string, options: { owner?: string | undefined } = {}): Promise<TaskView> {
    return this.#calls.post(`${taskPath(taskId)}/release`, { ...options, repeatable: false });
  }

  /** Cancels a task; one that is terminal already stays as it is. @returns its status after the request. */
  async kill(taskId: string, options: KillOptions = {}): Promise<TaskView> {
    const { owner, signal, graceMs, waitMs, children } = options;
    return this.#calls.post(`${taskPath(taskId)}/kill`, {
      query: { signal, grace_ms: graceMs, wait_ms: waitMs, children },
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
    return this.#calls.post(`${taskPath(taskId)}/retry`, { ...call, query: { again }, repeatable: !again });
  }

  /**
   * Stops a running task, and its wall time, until it is resumed or killed; one that is paused stays so. @returns its status
   * once nothing of it runs any more.
   */
  async pause(taskId: string, options: { owner?: string | undefined } = {}): Promise<TaskView> {
    return this.#calls.post(`${taskPath(taskId)}/pause`, { ...options, repeatable: true });
  }

  /** Lets a paused task go on; one that runs already does. @returns its status after that. */
  async resume(taskId: string, options: { owner?: string | undefined } = {}): Promise<TaskView> {
    return this.#calls.post(`${taskPath(taskId)}/resume`, { ...options, repeatable: true });
  }

  /** One page of the task list, with those fields of each task that `filter.fields` names, or all. */
  async list<Field extends keyof TaskSummary = keyof TaskSummary>(
    filter: ListFilter & { fields?: readonly Field[] | undefined } = {},
    options: Abortable = {},
  ): Promise<ListPage<Field>> {
    const words = (list: readonly string[] | undefined) => (list?.length === 0 ? undefined : list?.join(','));
    const query = { ...filter, status: words(filter.status), fields: words(filter.fields) };
    return this.#calls.get('/api/v1/tasks', { ...options, query });
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
    return this.#calls.get('/api/v1/tasks', { ...options, query, waitMs: query.wait_ms });
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
      patiently(this.#reconnectMs, () => this.changesPage({ ...filter, ...query }, { signal }), signal);
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
    return this.#calls.get(`${taskPath(taskId)}/events`, { query, signal: options.signal });
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
    return this.#calls.get('/api/v1/events', { query, waitMs, signal });
  }

  /**
   * Events of all tasks with `seq > afterSeq` (without it: from now on), and then each as it happens; also across a
   * restart of the daemon.
   */
  async *followEvents(
    options: Abortable & { afterSeq?: number | undefined } = {},
  ): AsyncGenerator<EventView> {
    const { follow } = await import('./follow.js');
    const events = follow(this.#http, {
      path: '/api/v1/events',
      query: { after_seq: options.afterSeq },
      reconnectMs: this.#reconnectMs,
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
    const answer = await this.#calls.get<OutputBytes & { data: string }>(path, { query, signal });
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
    return this.#calls.get(`${taskPath(taskId)}/output`, { query, signal });
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
    yield* followOutput(this.#http, {
      path: `${taskPath(taskId)}/output/stream`,
      query: {
        stream: options.stream ?? 'both',
        attempt: options.attempt,
        offset: options.offset,
        encoding: 'base64',
      },
      reconnectMs: this.#reconnectMs,
      signal: options.signal,
    });
  }

  /** Deletes a terminal task and its files. */
  async delete(taskId: string, options: Abortable & { owner?: string | undefined } = {}): Promise<void> {
    await this.#calls.delete(taskPath(taskId), options);
  }

  /** One page of the queues that have a rule or tasks, by name. */
  async queues(options: Abortable & Partial<QueueQuery> = {}): Promise<QueuePage> {
    const { limit, cursor, signal } = options;
    return this.#calls.get('/api/v1/queues', { query: { limit, cursor }, signal });
  }

  /**
   * A queue as it is now.
   * @param options.patient bear a daemon that is out of reach, as {@link wait} does
   */
  async queue(name: string, options: Abortable & { patient?: boolean | undefined } = {}): Promise<QueueView> {
    const { signal, patient } = options;
    const ask = (): Promise<QueueView> => this.#calls.get(queuePath(name), { signal });
    return patient === true ? patiently(this.#reconnectMs, ask, signal) : ask();
  }

  /** Sends a message to a webhook, once, to see whether one arrives; an answer says also that it has not. */
  async testNotify(
    webhook: NotifyTestRequest['webhook'],
    options: Abortable = {},
  ): Promise<NotifyTestAnswer> {
    const { signal } = options;
    const body = { webhook };
    return this.#calls.post('/api/v1/notify/test', {
      signal,
      body,
      waitMs: MAX_LONG_POLL_MS,
      repeatable: false,
    });
  }

  /** Removes ended tasks that are due, or says which would be. It takes as long as it takes: there is no time limit. */
  async gc(request: GcRequest = {}, options: Abortable = {}): Promise<GcReport> {
    return (await this.#http.json({
      ...options,
      method: 'POST',
      path: '/api/v1/gc',
      body: request,
      repeatable: true,
    })) as GcReport;
  }

  /** `GET /api/v1/runtime/info`. */
  async info(options: Abortable = {}): Promise<RuntimeInfo> {
    return this.#calls.get('/api/v1/runtime/info', options);
  }

  /** `GET /api/v1/runtime/capabilities`. */
  async capabilities(options: Abortable = {}): Promise<Capabilities> {
    return this.#calls.get('/api/v1/runtime/capabilities', options);
  }

  /** `GET /api/v1/runtime/config`. */
  async config(options: Abortable = {}): Promise<RuntimeConfig> {
    return this.#calls.get('/api/v1/runtime/config', options);
  }

  /** `GET /api/v1/runtime/resources`. */
  async resources(options: Abortable = {}): Promise<RuntimeResources> {
    return this.#calls.get('/api/v1/runtime/resources', options);
  }

  /** Resolves while the daemon's process lives. */
  async health(options: Abortable = {}): Promise<{ status: 'ok'; version: string }> {
    return this.#calls.get('/healthz', options);
  }

  /** Resolves while the daemon and its storage serve. */
  async ready(options: Abortable = {}): Promise<{ status: 'ready'; version: string }> {
    return this.#calls.get('/readyz', options);
  }

  /** Prometheus text 0.0.4. */
  metrics(options: Abortable = {}): Promise<string> {
    return this.#calls.text('/metrics', options);
  }
}
