import { EventEmitter, once } from 'node:events';
import { readHeadTailOf, rangeOf } from './fake-output.js';
import type {
  EncodedJson,
  KillOptions,
  OutputWatch,
  RetryOptions,
  Service,
  TurnOptions,
  StatusOptions,
} from '../../src/runtime/service.js';
import type { HeadTailBytes, OutputBytes, OutputStream, TaskEnd } from '../../src/task/output.js';
import type {
  Capabilities,
  GcReport,
  Readiness,
  RuntimeInfo,
  RuntimeResources,
} from '../../src/task/runtime-view.js';
import { ExecgoError, taskNotFound } from '../../src/task/errors.js';
import { validateBulk, type BulkAnswer } from '../../src/task/actions.js';
import type { EventFilter } from '../../src/task/events.js';
import type { GcRequest } from '../../src/task/gc.js';
import type { GroupKillAnswer, GroupPage, GroupQuery, GroupView } from '../../src/task/groups.js';
import { validateReadMark, type ReadMark } from '../../src/task/read-mark.js';
import type { Snapshot } from '../../src/task/snapshot.js';
import type { ChangesQuery, ListQuery } from '../../src/task/list.js';
import type { GroupRetryAnswer, GroupRetryQuery, RetryAnswer } from '../../src/task/rerun.js';
import { loadConfig } from '../../src/daemon/config.js';
import { configView } from '../../src/runtime/views/config-view.js';
import { capabilitiesView } from '../../src/sandbox/capabilities-view.js';
import { examples } from '../../src/task/examples.js';
import { ableHost } from '../sandbox/hosts.js';
import { resolvedPlan } from './fake-plan.js';
import { FakeCommands } from './fake-commands.js';
import { FakeFiles } from './fake-files.js';
import { FakeSessions } from './fake-sessions.js';
import {
  QueueRuleRequest,
  ruleOf,
  type QueuePage,
  type QueueQuery,
  type QueueRule,
  type QueueView,
} from '../../src/task/queues.js';
import type { SchedulePage, ScheduleView } from '../../src/task/schedules.js';
import type { PlannedTask } from '../../src/task/plan.js';
import { invalidInputFrom, validateSubmission } from '../../src/task/validate.js';
import type {
  BatchItem,
  ChangesPage,
  EventPage,
  EventView,
  SubmitAnswer,
  TaskPage,
  TaskSummary,
  WaitAnswer,
} from '../../src/task/view.js';
import type { WaitMode } from '../../src/task/wait-mode.js';

/** A status without what stands in the end of a task, and without its output. */
const BEGUN = {
  ...examples.TaskView!,
  stdout: undefined,
  finished_at: undefined,
  exit_code: undefined,
  cause: undefined,
  error: undefined,
};

interface FakeTask {
  status: 'running' | 'success' | 'cancelled';
  stdout: Buffer;
  stderr: Buffer;
  /** Bytes of stdout that are gone: from, to. */
  gap?: [from: number, to: number];
}

/** A service that keeps everything in memory and remembers what it was asked. */
export class FakeService implements Service {
  readonly sessions = new FakeSessions(this);
  readonly files = new FakeFiles(this);
  readonly commands = new FakeCommands((id) => this.#task(id));
  readonly tasks = new Map<string, FakeTask>();
  readonly rules = new Map<string, QueueRule>();
  /** What a list shows. */
  listed: TaskSummary[] = [];
  readonly history: EventView[] = [];
  /** Arguments of the last call, by method. */
  readonly asked: Record<string, unknown[]> = {};
  /** Thrown by the next call of `info`, `ready`, `status`. */
  failure: Error | undefined;
  /** How many calls wait right now. */
  waiting = 0;
  /** How many streams of output are followed right now. */
  watching = 0;
  readonly #changes = new EventEmitter().setMaxListeners(0);

  add(id: string, task: Partial<FakeTask> = {}): FakeTask {
    const full: FakeTask = { status: 'running', stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), ...task };
    this.tasks.set(id, full);
    return full;
  }

  write(id: string, stream: OutputStream, bytes: Buffer | string): void {
    const task = this.#task(id);
    task[stream] = Buffer.concat([task[stream], Buffer.from(bytes)]);
    this.#changes.emit('change');
  }

  finish(id: string): void {
    this.#task(id).status = 'success';
    this.#changes.emit('change');
  }

  happen(task_id: string, event_type = 'started'): void {
    const seq = this.history.length + 1;
    const type = 'task_started';
    this.history.push({
      seq,
      task_id,
      handle_id: task_id,
      event_type,
      type,
      timestamp: '2024-01-01T00:00:00Z',
      message: 'task started',
    });
    this.#changes.emit('change');
  }

  async submit(body: unknown): Promise<SubmitAnswer> {
    this.asked['submit'] = [body];
    const { request, warnings } = validateSubmission(body);
    const id = request.task_id ?? 'generated';
    if (this.tasks.has(id)) throw new ExecgoError('conflict', `task already exists: ${id}`);
    this.add(id);
    return { task_id: id, handle_id: id, status: 'accepted', ...(warnings.length > 0 ? { warnings } : {}) };
  }

  dryRun(body: unknown): PlannedTask {
    validateSubmission(body);
    return resolvedPlan;
  }

  async submitBatch(body: unknown): Promise<BatchItem[]> {
    this.asked['submitBatch'] = [body];
    const { tasks } = body as { tasks: unknown[] };
    return Promise.all(
      tasks.map((task) =>
        this.submit(task).catch((error: unknown) => ({
          error: (error as ExecgoError).toBody(),
        })),
      ),
    );
  }

  async status(id: string, { wait_ms: waitMs }: StatusOptions, signal: AbortSignal): Promise<EncodedJson> {
    this.asked['status'] = [id, waitMs];
    this.#fail();
    this.#task(id);
    if (waitMs > 0) await this.#until(() => this.#task(id).status !== 'running', signal, waitMs);
    return this.#view(id);
  }

  request(id: string): EncodedJson {
    this.#task(id);
    return [Buffer.from(JSON.stringify({ task_id: id, future: true }))];
  }

  async edit(id: string, body: unknown, owner: string | undefined): Promise<EncodedJson> {
    this.asked['edit'] = [id, body, owner];
    return this.#view(id);
  }

  async kill(id: string, options: KillOptions, signal: AbortSignal): Promise<EncodedJson> {
    this.asked['kill'] = [id, options];
    const task = this.#task(id);
    if (id === 'owned' && options.owner !== 'me')
      throw new ExecgoError('permission_denied', 'permission denied: owner');
    if ((options.wait_ms ?? 0) > 0)
      await this.#until(() => task.status !== 'running', signal, options.wait_ms ?? 0);
    task.status = 'cancelled';
    return this.#view(id);
  }

  async pause(id: string, options: TurnOptions): Promise<EncodedJson> {
    this.asked['pause'] = [id, options];
    return this.#turn(id);
  }

  async release(id: string, owner: string | undefined): Promise<EncodedJson> {
    this.asked['release'] = [id, owner];
    this.#task(id);
    return this.#view(id);
  }

  async resume(id: string, options: TurnOptions): Promise<EncodedJson> {
    this.asked['resume'] = [id, options];
    return this.#turn(id);
  }

  schedules(query: QueueQuery): SchedulePage {
    this.asked['schedules'] = [query];
    const { generated_at } = examples.QueueView!;
    const { task: _task, ...summary } = this.schedule('nightly');
    return { generated_at, schedules: [summary], next_cursor: 'next' };
  }

  schedule(name: string): ScheduleView {
    if (name === 'nobody') throw new ExecgoError('not_found', `schedule not found: ${name}`);
    return { ...examples.ScheduleView!, name };
  }

  makeSchedule(body: unknown): Promise<ScheduleView> {
    this.asked['makeSchedule'] = [body];
    return Promise.resolve(this.schedule('nightly'));
  }

  async editSchedule(name: string, body: unknown, owner: string | undefined): Promise<ScheduleView> {
    this.asked['editSchedule'] = [name, body, owner];
    return this.schedule(name);
  }

  async deleteSchedule(name: string, owner: string | undefined): Promise<void> {
    this.asked['deleteSchedule'] = [name, owner];
    this.schedule(name);
  }

  async runSchedule(name: string, owner: string | undefined): Promise<SubmitAnswer> {
    this.asked['runSchedule'] = [name, owner];
    return { task_id: this.schedule(name).name, handle_id: name, status: 'accepted' };
  }

  groups(query: GroupQuery): GroupPage {
    this.asked['groups'] = [query];
    return { generated_at: examples.GroupView!.generated_at, groups: [examples.GroupView!] };
  }

  group(tenant: string | undefined, group: string, waitMs: number): Promise<GroupView> {
    this.asked['group'] = [tenant, group, waitMs];
    if (group === 'none')
      return Promise.reject(new ExecgoError('not_found', `group not found: ${group}`, { group }));
    return Promise.resolve({ ...examples.GroupView!, group });
  }

  async killGroup(tenant: string | undefined, group: string, options: KillOptions): Promise<GroupKillAnswer> {
    const view = await this.group(tenant, group, 0);
    this.asked['killGroup'] = [tenant, group, options];
    return { ...view, killed: 2, refused: 0 };
  }

  retry(id: string, options: RetryOptions): Promise<RetryAnswer> {
    this.asked['retry'] = [id, options];
    this.#task(id);
    return Promise.resolve(examples.RetryAnswer!);
  }

  retryGroup(name: string, query: GroupRetryQuery, owner: string | undefined): Promise<GroupRetryAnswer> {
    this.asked['retryGroup'] = [name, query, owner];
    return Promise.resolve({ tasks: [examples.RetryAnswer!], next_cursor: 'next' });
  }

  snapshot(queue: string | undefined): Snapshot {
    this.asked['snapshot'] = [queue];
    return { ...examples.Snapshot!, queue };
  }

  async markRead(id: string, reader: string, body: unknown): Promise<ReadMark> {
    this.asked['markRead'] = [id, reader, body];
    this.#task(id);
    return { task_id: id, reader, version: validateReadMark(reader, body).version ?? 1 };
  }

  queues(query: QueueQuery): QueuePage {
    this.asked['queues'] = [query];
    const { generated_at } = examples.QueueView!;
    return {
      generated_at,
      queues: [...this.rules.keys()].map((name) => this.queue(name)),
      next_cursor: 'next',
    };
  }

  queue(name: string): QueueView {
    this.asked['queue'] = [name];
    const rule = this.rules.get(name);
    if (rule === undefined) throw new ExecgoError('not_found', `queue not found: ${name}`, { queue: name });
    return { ...examples.QueueView!, queue: name, rule };
  }

  async putQueue(name: string, body: unknown): Promise<QueueView> {
    this.asked['putQueue'] = [name, body];
    const parsed = QueueRuleRequest.safeParse(body);
    if (!parsed.success) throw invalidInputFrom(parsed.error);
    this.rules.set(name, ruleOf(parsed.data));
    return this.queue(name);
  }

  async deleteQueue(name: string): Promise<void> {
    this.asked['deleteQueue'] = [name];
    if (!this.rules.delete(name))
      throw new ExecgoError('not_found', `queue has no rule: ${name}`, { queue: name });
  }

  async actions(body: unknown, owner: string | undefined): Promise<BulkAnswer> {
    const { action } = validateBulk(body);
    this.asked['actions'] = [body, owner];
    return { ...examples.BulkAnswer!, action };
  }

  async gc(request: GcRequest): Promise<GcReport> {
    this.asked['gc'] = [request];
    return {
      dry_run: request.dry_run === true,
      candidates: 0,
      removed: 0,
      bytes_freed: 0,
      tasks: [],
      skipped_pinned: 0,
      problems: [],
      duration_ms: 0,
    };
  }

  async list(query: ListQuery): Promise<TaskPage> {
    this.asked['list'] = [query];
    return { tasks: this.listed, next_cursor: 'next' };
  }

  async changes(query: ChangesQuery, waitMs: number, signal: AbortSignal): Promise<ChangesPage> {
    this.asked['changes'] = [query, waitMs];
    this.#fail();
    if (waitMs > 0) await this.#until(() => this.history.length > query.changed_after, signal, waitMs);
    return examples.ChangesPage!;
  }

  taskEvents(id: string, afterSeq: number, limit: number | undefined): EventView[] {
    this.asked['taskEvents'] = [id, afterSeq, limit];
    this.#task(id);
    return this.history.filter((e) => e.task_id === id && e.seq > afterSeq).slice(0, limit);
  }

  async events(afterSeq: number, limit: number, waitMs: number, signal: AbortSignal): Promise<EventView[]> {
    this.asked['events'] = [afterSeq, limit, waitMs];
    if (waitMs > 0) await this.#until(() => this.history.length > afterSeq, signal, waitMs);
    return this.history.filter((e) => e.seq > afterSeq).slice(0, limit);
  }

  async eventsWhere(
    filter: EventFilter,
    afterSeq: number,
    limit: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<EventPage> {
    this.asked['eventsWhere'] = [filter, afterSeq, limit, waitMs];
    const passing = () =>
      this.history.filter(
        (e) => e.seq > afterSeq && filter.event_type?.includes(e.event_type as never) !== false,
      );
    if (waitMs > 0) await this.#until(() => passing().length > 0, signal, waitMs);
    const events = passing().slice(0, limit);
    return { events, last_seq: Math.max(afterSeq, events.at(-1)?.seq ?? this.history.length) };
  }

  async wait(
    ids: readonly string[],
    mode: WaitMode,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<WaitAnswer> {
    this.asked['wait'] = [ids, mode, waitMs];
    const ended = () => ids.filter((id) => this.#task(id).status !== 'running').length;
    const met = () => (mode === 'all' ? ended() === ids.length : ended() > 0);
    ended();
    if (waitMs > 0) await this.#until(met, signal, waitMs);
    const [summary] = examples.ChangesPage!.tasks;
    return { mode, met: met(), tasks: ids.map((id) => ({ ...summary!, task_id: id, handle_id: id })) };
  }

  lastSeq(): number {
    return this.history.length;
  }

  lastAttempt(id: string): number {
    this.#task(id);
    return 1;
  }

  async nextAttempt(id: string, _attempt: number, signal: AbortSignal): Promise<undefined> {
    await this.#until(() => this.#task(id).status !== 'running', signal);
  }

  async outputRange(id: string, stream: OutputStream, offset: number, limit: number): Promise<OutputBytes> {
    const { status, gap, [stream]: bytes } = this.#task(id);
    return rangeOf(stream, bytes, stream === 'stdout' ? gap : undefined, status !== 'running', offset, limit);
  }

  async outputView(
    id: string,
    stream: OutputStream,
    maxBytes: number,
    maxLines: number,
  ): Promise<HeadTailBytes> {
    this.asked['outputView'] = [id, stream, maxBytes, maxLines];
    return readHeadTailOf(stream, this.#task(id)[stream]);
  }

  async encodeText(bytes: Buffer): Promise<Buffer> {
    return Buffer.from(JSON.stringify(bytes.toString()));
  }

  watchOutput(id: string, stream: OutputStream, _attempt: number, signal: AbortSignal): OutputWatch {
    this.watching++;
    const changed = (offset: number) => () =>
      this.#task(id)[stream].length > offset || this.#task(id).status !== 'running';
    return {
      growth: (offset) => this.#until(changed(offset), signal),
      close: () => {
        this.watching--;
      },
    };
  }

  ending(id: string): TaskEnd {
    const { status } = this.#task(id);
    return status === 'running' ? { status } : { status, exit_code: 0, cause: 'exit' };
  }

  testNotify(body: unknown) {
    this.asked['testNotify'] = [body];
    return Promise.resolve({
      ...{ webhook_id: 'w', to: 'https://example.com', signed: false },
      ...{ delivered: true, duration_ms: 1, http_status: 200 },
    });
  }

  async deleteTask(id: string, owner: string | undefined): Promise<void> {
    this.asked['deleteTask'] = [id, owner];
    if (this.#task(id).status === 'running') throw new ExecgoError('conflict', `task is not terminal: ${id}`);
    this.tasks.delete(id);
  }

  info(): RuntimeInfo {
    this.#fail();
    return { ...examples.RuntimeInfo!, runtime_id: 'fake' };
  }

  capabilities(): Capabilities {
    return capabilitiesView(ableHost(), { runtimeId: 'fake', capacity: { task_slots: 4 }, overrides: {} });
  }

  config(): object {
    return configView(loadConfig({ runtimeId: 'fake' }, {}));
  }

  resources(): RuntimeResources {
    return { ...examples.RuntimeResources!, runtime_id: 'fake', capacity: { task_slots: 4 } };
  }

  async ready(): Promise<Readiness> {
    this.#fail();
    return examples.Readiness!;
  }

  async metrics(): Promise<string> {
    return '# TYPE execgo_runtime_tasks_running gauge\nexecgo_runtime_tasks_running 0\n';
  }

  #turn(id: string): EncodedJson {
    if (this.#task(id).status !== 'running')
      throw new ExecgoError('conflict', `task ${id} has ended: only a running task can be paused`);
    return this.#view(id);
  }

  #task(id: string): FakeTask {
    const task = this.tasks.get(id);
    if (task === undefined) throw taskNotFound(id);
    return task;
  }

  #view(id: string): EncodedJson {
    const text = JSON.stringify(this.#task(id).stdout.toString());
    const head = JSON.stringify({ ...BEGUN, task_id: id, handle_id: id, ...this.ending(id) });
    return [`${head.slice(0, -1)},"stdout":`, text, '}'].map((s) => Buffer.from(s));
  }

  #fail(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }

  async #until(met: () => boolean, signal: AbortSignal, waitMs?: number): Promise<void> {
    const limit = waitMs === undefined ? undefined : AbortSignal.timeout(waitMs);
    const ended = limit === undefined ? signal : AbortSignal.any([signal, limit]);
    this.waiting++;
    try {
      while (!met()) await once(this.#changes, 'change', { signal: ended });
    } catch (error) {
      if (limit?.aborted !== true) throw error;
    } finally {
      this.waiting--;
    }
  }
}
