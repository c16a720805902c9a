import { ExecgoError } from '../task/errors.js';
import { endOf, shownAttempt } from '../store/records.js';
import type { GcRequest } from '../task/gc.js';
import type { GroupKillAnswer, GroupPage, GroupQuery, GroupView } from '../task/groups.js';
import type { HeadTailBytes, OutputBytes, OutputStream, TaskEnd } from '../task/output.js';
import type { Capabilities, GcReport, RuntimeInfo, RuntimeResources } from '../task/runtime-view.js';
import type { ChangesQuery, ListQuery } from '../task/list.js';
import type { GroupRetryAnswer, GroupRetryQuery, RetryAnswer } from '../task/rerun.js';
import type { QueuePage, QueueQuery, QueueView } from '../task/queues.js';
import type { NotifyTestAnswer } from '../task/notification-view.js';
import type { SchedulePage, ScheduleView } from '../task/schedules.js';
import type { PlannedTask } from '../task/plan.js';
import type { BatchItem, ChangesPage, EventView, SubmitAnswer, TaskPage } from '../task/view.js';
import { checkOwner } from './lifecycle/check-owner.js';
import type { Collector } from './upkeep/collector.js';
import { deleteTask, type DeletingCore } from './lifecycle/delete.js';
import { editTask, type EditingCore } from './lifecycle/edit.js';
import { killFamily } from './lifecycle/kill-family.js';
import { killTask, type KillingCore } from './lifecycle/kill.js';
import { pauseTask, resumeTask } from './lifecycle/pause.js';
import { retryTask } from './lifecycle/rerun.js';
import { retryGroup } from './lifecycle/rerun-group.js';
import { GrowthWatch } from './output/follow.js';
import { readHeadTail } from './output/head-tail.js';
import type { OutputSource } from './output/source.js';
import { readRange } from './output/range.js';
import { sourceOf } from './output/read-output.js';
import type { FileService } from './file-service.js';
import type { SessionService } from './session-service.js';
import { WorkspaceFiles } from './sessions/files.js';
import { Sessions, type SessionsCore } from './sessions/sessions.js';
import type {
  EncodedJson,
  KillOptions,
  OutputWatch,
  RetryOptions,
  Service,
  StatusOptions,
  TurnOptions,
} from './service.js';
import { taskRecord, taskStatus, type StatusCore } from './status.js';
import { deleteQueueRule, putQueueRule, type RulingCore } from './lifecycle/queue-rule.js';
import { waitForGroup } from './lifecycle/groups.js';
import { waitForAttempt, waitForEnd, waitForSeq, waitForVersion } from './lifecycle/wait.js';
import { submitBatch } from './lifecycle/batch.js';
import { dryRun, submit, type Intake, type SubmittingCore } from './lifecycle/submit.js';
import type { TestMessages } from './notify/test-message.js';
import {
  deleteSchedule,
  editSchedule,
  makeSchedule,
  runSchedule,
  type ScheduleCore,
} from './schedules/change.js';
import { schedulePage, scheduleView } from './schedules/schedule-view.js';
import { groupPage, groupView, type GroupCore } from './views/group-view.js';
import { queuePage, queueView, type QueueCore } from './views/queue-view.js';
import { deletedTask, eventView, taskSummary } from './views/task-view.js';
import { waitingOf } from './views/waiting-view.js';

/** Views of the daemon, as opposed to views of a task. */
export interface RuntimeViews {
  info: () => RuntimeInfo;
  capabilities: () => Capabilities;
  config: () => object;
  resources: () => RuntimeResources;
  metrics: () => Promise<string>;
}

/** What the use cases work with, together. */
export type RuntimeCore = SubmittingCore &
  StatusCore &
  KillingCore &
  EditingCore &
  DeletingCore &
  RulingCore &
  ScheduleCore &
  GroupCore &
  QueueCore &
  SessionsCore & { testMessages: TestMessages };

/** The runtime as the API sees it: each use case in its own file. */
export class Runtime implements Service {
  readonly sessions: SessionService;
  readonly files: FileService;

  constructor(
    private readonly core: RuntimeCore,
    private readonly intake: Intake,
    private readonly collector: Collector,
    private readonly views: RuntimeViews,
  ) {
    this.sessions = new Sessions(core);
    this.files = new WorkspaceFiles(core);
  }

  submit(body: unknown): Promise<SubmitAnswer> {
    return submit(this.core, this.intake, body);
  }

  dryRun(body: unknown): PlannedTask {
    return dryRun(this.core, body);
  }

  submitBatch(body: unknown): Promise<BatchItem[]> {
    return submitBatch(this.core, this.intake, body);
  }

  async status(taskId: string, { wait_ms, tree }: StatusOptions, signal: AbortSignal): Promise<EncodedJson> {
    await waitForEnd(this.core, taskId, wait_ms, signal);
    return taskStatus(this.core, taskId, tree);
  }

  request(taskId: string): EncodedJson {
    const accepted = taskRecord(this.core, taskId).request;
    return [Buffer.from(this.core.store.sentRequest(taskId) ?? JSON.stringify(accepted))];
  }

  async edit(taskId: string, body: unknown, owner: string | undefined): Promise<EncodedJson> {
    await editTask(this.core, this.intake, taskId, body, owner);
    return taskStatus(this.core, taskId);
  }

  release(taskId: string, owner: string | undefined): Promise<EncodedJson> {
    return this.edit(taskId, { policy: { hold: false } }, owner);
  }

  async kill(taskId: string, options: KillOptions, signal: AbortSignal): Promise<EncodedJson> {
    const { owner, wait_ms = 0, children, ...how } = options;
    checkOwner(taskRecord(this.core, taskId), owner);
    const task = this.core.live.get(taskId);
    if (children === true) await killFamily(this.core, taskId, how);
    else if (task !== undefined) await killTask(this.core, task, how);
    return this.status(taskId, { wait_ms }, signal);
  }

  retry(taskId: string, options: RetryOptions): Promise<RetryAnswer> {
    return retryTask(this.core, this.intake, taskId, options);
  }

  async pause(taskId: string, { owner, wait_ms }: TurnOptions, signal: AbortSignal): Promise<EncodedJson> {
    checkOwner(taskRecord(this.core, taskId), owner);
    await pauseTask(this.core, taskId, wait_ms, signal);
    return taskStatus(this.core, taskId);
  }

  async resume(taskId: string, { owner, wait_ms }: TurnOptions, signal: AbortSignal): Promise<EncodedJson> {
    checkOwner(taskRecord(this.core, taskId), owner);
    await resumeTask(this.core, taskId, wait_ms, signal);
    return taskStatus(this.core, taskId);
  }

  async list(query: ListQuery, signal: AbortSignal): Promise<TaskPage> {
    const { records, next_cursor } = await this.core.store.list(query, signal);
    return { tasks: records.map((record) => taskSummary(record, waitingOf(this.core, record))), next_cursor };
  }

  async changes(query: ChangesQuery, waitMs: number, signal: AbortSignal): Promise<ChangesPage> {
    const { store } = this.core;
    if (query.cursor === undefined && query.changed_after === store.lastVersion() && waitMs > 0)
      await waitForVersion(this.core, query.changed_after, waitMs, signal);
    const { records, deleted, ...rest } = await store.changes(query, signal);
    const tasks = records.map((record) => taskSummary(record, waitingOf(this.core, record)));
    return { tasks, deleted: deleted.map(deletedTask), ...rest };
  }

  taskEvents(taskId: string, afterSeq: number, limit: number | undefined): EventView[] {
    const events = this.core.store.taskEvents(taskId, afterSeq, limit);
    if (events.length === 0) taskRecord(this.core, taskId);
    return events.map(eventView);
  }

  async events(afterSeq: number, limit: number, waitMs: number, signal: AbortSignal): Promise<EventView[]> {
    const { store } = this.core;
    const there = store.events(afterSeq, limit);
    if (there.length > 0 || waitMs === 0) return there.map(eventView);
    // The events up to the last one may have been deleted with their tasks: only a newer one ends the wait.
    await waitForSeq(this.core, Math.max(afterSeq, store.lastSeq()), waitMs, signal);
    return store.events(afterSeq, limit).map(eventView);
  }

  lastSeq(): number {
    return this.core.store.lastSeq();
  }

  lastAttempt(taskId: string): number {
    return shownAttempt(taskRecord(this.core, taskId));
  }

  nextAttempt(taskId: string, attempt: number, signal: AbortSignal): Promise<number | undefined> {
    return waitForAttempt(this.core, taskId, attempt, signal);
  }

  async outputRange(
    taskId: string,
    stream: OutputStream,
    offset: number,
    limit: number,
    attempt?: number,
  ): Promise<OutputBytes> {
    return { stream, ...(await readRange(this.source(taskId, stream, attempt), offset, limit)) };
  }

  async outputView(
    taskId: string,
    stream: OutputStream,
    maxBytes: number,
    maxLines: number,
    attempt?: number,
  ): Promise<HeadTailBytes> {
    return { stream, ...(await readHeadTail(this.source(taskId, stream, attempt), maxBytes, maxLines)) };
  }

  encodeText(bytes: Buffer): Promise<Buffer> {
    return this.core.inlineTexts.encode(bytes);
  }

  watchOutput(taskId: string, stream: OutputStream, attempt: number, signal: AbortSignal): OutputWatch {
    const source = this.source(taskId, stream, attempt);
    const watch = new GrowthWatch(source);
    const wake = () => {
      watch.wake();
    };
    if (source.final) wake();
    else this.core.announcer.attemptEnd(taskId, signal).then(wake, wake);
    return watch;
  }

  ending(taskId: string): TaskEnd {
    const record = taskRecord(this.core, taskId);
    const { exit_code, exit_signal, cause } = endOf(record) ?? {};
    return { status: record.status, exit_code, exit_signal, cause };
  }

  deleteTask(taskId: string, owner: string | undefined): Promise<void> {
    return deleteTask(this.core, taskId, owner);
  }

  queues(query: QueueQuery): QueuePage {
    return queuePage(this.core, query);
  }

  queue(name: string): QueueView {
    return queueView(this.core, name);
  }

  async putQueue(name: string, body: unknown): Promise<QueueView> {
    await putQueueRule(this.core, name, body);
    return queueView(this.core, name);
  }

  deleteQueue(name: string): Promise<void> {
    return deleteQueueRule(this.core, name);
  }

  testNotify(body: unknown, signal: AbortSignal): Promise<NotifyTestAnswer> {
    return this.core.testMessages.send(body, signal);
  }

  schedules(query: QueueQuery): SchedulePage {
    return schedulePage(this.core, query);
  }

  schedule(name: string): ScheduleView {
    return scheduleView(this.core, name);
  }

  async makeSchedule(body: unknown): Promise<ScheduleView> {
    return scheduleView(this.core, await makeSchedule(this.core, body));
  }

  async editSchedule(name: string, body: unknown, owner: string | undefined): Promise<ScheduleView> {
    await editSchedule(this.core, name, body, owner);
    return scheduleView(this.core, name);
  }

  deleteSchedule(name: string, owner: string | undefined): Promise<void> {
    return deleteSchedule(this.core, name, owner);
  }

  runSchedule(name: string, owner: string | undefined): Promise<SubmitAnswer> {
    return runSchedule(this.core, this.intake, name, owner);
  }

  groups(query: GroupQuery): GroupPage {
    return groupPage(this.core, query);
  }

  async group(
    tenant: string | undefined,
    group: string,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<GroupView> {
    await waitForGroup(this.core, { tenant, group }, waitMs, signal);
    return groupView(this.core, { tenant, group });
  }

  async killGroup(
    tenant: string | undefined,
    group: string,
    { owner, wait_ms, ...how }: KillOptions,
    signal: AbortSignal,
  ): Promise<GroupKillAnswer> {
    groupView(this.core, { tenant, group });
    const done = await this.core.groups.kill({ tenant, group }, how, owner);
    return { ...(await this.group(tenant, group, wait_ms ?? 0, signal)), ...done };
  }

  retryGroup(name: string, query: GroupRetryQuery, owner: string | undefined): Promise<GroupRetryAnswer> {
    return retryGroup(this.core, this.intake, name, query, owner);
  }

  gc(request: GcRequest): Promise<GcReport> {
    return this.collector.collect(request);
  }

  info(): RuntimeInfo {
    return this.views.info();
  }

  capabilities(): Capabilities {
    return this.views.capabilities();
  }

  config(): object {
    return this.views.config();
  }

  resources(): RuntimeResources {
    return this.views.resources();
  }

  async ready(): Promise<void> {
    if (!this.core.schedule.accepting) throw new ExecgoError('unavailable', 'the daemon is stopping');
    await this.core.store.commits.write(() => {
      this.core.store.probe();
    });
  }

  metrics(): Promise<string> {
    return this.views.metrics();
  }

  /** @throws ExecgoError `not_found` */
  private source(taskId: string, stream: OutputStream, attempt: number | undefined): OutputSource {
    return sourceOf(this.core, taskRecord(this.core, taskId), stream, attempt);
  }
}
