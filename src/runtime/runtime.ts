import type { BulkAnswer } from '../task/actions.js';
import type { EventFilter } from '../task/events.js';
import type { GcRequest } from '../task/gc.js';
import type { GroupKillAnswer, GroupPage, GroupQuery, GroupView } from '../task/groups.js';
import type { ReadMark } from '../task/read-mark.js';
import type { Snapshot } from '../task/snapshot.js';
import type {
  Capabilities,
  GcReport,
  Readiness,
  RuntimeInfo,
  RuntimeResources,
} from '../task/runtime-view.js';
import type { ChangesQuery, ListQuery } from '../task/list.js';
import type { GroupRetryAnswer, GroupRetryQuery, RetryAnswer } from '../task/rerun.js';
import type { QueuePage, QueueQuery, QueueView } from '../task/queues.js';
import type { NotifyTestAnswer } from '../task/notification-view.js';
import type { SchedulePage, ScheduleView } from '../task/schedules.js';
import type { PlannedTask } from '../task/plan.js';
import type {
  BatchItem,
  ChangesPage,
  EventPage,
  EventView,
  SubmitAnswer,
  TaskPage,
  WaitAnswer,
} from '../task/view.js';
import type { WaitMode } from '../task/wait-mode.js';
import type { CommandService } from './command-service.js';
import { Commands } from './commands/commands.js';
import { checkOwner } from './lifecycle/check-owner.js';
import type { Collector } from './upkeep/collector.js';
import { deleteTask, type DeletingCore } from './lifecycle/delete.js';
import { editTask, type EditingCore } from './lifecycle/edit.js';
import { killFamily } from './lifecycle/kill-family.js';
import { actOnTasks } from './lifecycle/bulk.js';
import { markRead } from './lifecycle/mark-read.js';
import { killNoteOf } from './lifecycle/kill-event.js';
import { killTask, type KillingCore } from './lifecycle/kill.js';
import { pauseTask, resumeTask } from './lifecycle/pause.js';
import { retryTask } from './lifecycle/rerun.js';
import { retryGroup } from './lifecycle/rerun-group.js';
import type {
  EncodedJson,
  KillOptions,
  RetryOptions,
  Service,
  StatusOptions,
  TurnOptions,
} from './service.js';
import type { FileService } from './file-service.js';
import type { SessionService } from './session-service.js';
import { WorkspaceFiles } from './sessions/files.js';
import { Sessions, type SessionsCore } from './sessions/sessions.js';
import { OutputRuntime } from './output-runtime.js';
import { readiness, type ReadinessCore } from './readiness.js';
import { taskRecord, taskStatus, type StatusCore } from './status.js';
import { deleteQueueRule, putQueueRule, type RulingCore } from './lifecycle/queue-rule.js';
import { waitForGroup } from './lifecycle/groups.js';
import { eventPage } from './lifecycle/event-page.js';
import { waitAnswer, waitForSome } from './lifecycle/wait-for-some.js';
import { waitForEnd, waitForSeq, waitForVersion } from './lifecycle/wait.js';
import { submitBatch } from './lifecycle/batch.js';
import { dryRun } from './lifecycle/dry-run.js';
import { submit, type Intake, type SubmittingCore } from './lifecycle/submit.js';
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
import { snapshotView } from './views/snapshot-view.js';
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
  ReadinessCore &
  KillingCore &
  EditingCore &
  DeletingCore &
  RulingCore &
  ScheduleCore &
  GroupCore &
  QueueCore &
  SessionsCore & { testMessages: TestMessages };

/** The runtime as the API sees it: each use case in its own file. */
export class Runtime extends OutputRuntime implements Service {
  readonly sessions: SessionService;
  readonly files: FileService;
  readonly commands: CommandService;

  constructor(
    protected readonly core: RuntimeCore,
    private readonly intake: Intake,
    private readonly collector: Collector,
    private readonly views: RuntimeViews,
  ) {
    super();
    this.sessions = new Sessions(core);
    this.files = new WorkspaceFiles(core);
    this.commands = new Commands(core);
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
    const ended = await waitForEnd(this.core, taskId, wait_ms, signal);
    return taskStatus(this.core, taskId, { ended, tree });
  }

  request(taskId: string): EncodedJson {
    const accepted = taskRecord(this.core, taskId).request;
    return [Buffer.from(this.core.store.tasks.sent(taskId) ?? JSON.stringify(accepted))];
  }

  async edit(taskId: string, body: unknown, owner: string | undefined): Promise<EncodedJson> {
    await editTask(this.core, this.intake, taskId, body, owner);
    return taskStatus(this.core, taskId);
  }

  release(taskId: string, owner: string | undefined): Promise<EncodedJson> {
    return this.edit(taskId, { policy: { hold: false } }, owner);
  }

  async kill(taskId: string, options: KillOptions, signal: AbortSignal): Promise<EncodedJson> {
    const { owner, wait_ms = 0, children, reason, ...order } = options;
    checkOwner(taskRecord(this.core, taskId), owner);
    const task = this.core.live.get(taskId);
    const how = { ...order, note: killNoteOf(owner, reason) };
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
    const { records, next_cursor } = await this.core.store.list.page(query, signal);
    return { tasks: records.map((record) => taskSummary(record, waitingOf(this.core, record))), next_cursor };
  }

  async changes(query: ChangesQuery, waitMs: number, signal: AbortSignal): Promise<ChangesPage> {
    const { store } = this.core;
    if (query.cursor === undefined && query.changed_after === store.versions.last && waitMs > 0)
      await waitForVersion(this.core, query.changed_after, waitMs, signal);
    const { records, deleted, ...rest } = await store.changeList.page(query, signal);
    const tasks = records.map((record) => taskSummary(record, waitingOf(this.core, record)));
    return { tasks, deleted: deleted.map(deletedTask), ...rest };
  }

  taskEvents(taskId: string, afterSeq: number, limit: number | undefined): EventView[] {
    const events = this.core.store.events.ofTask(taskId, afterSeq, limit);
    if (events.length === 0) taskRecord(this.core, taskId);
    return events.map(eventView);
  }

  async events(afterSeq: number, limit: number, waitMs: number, signal: AbortSignal): Promise<EventView[]> {
    const { store } = this.core;
    const there = store.events.ofAll(afterSeq, limit);
    if (there.length > 0 || waitMs === 0) return there.map(eventView);
    // The events up to the last one may have been deleted with their tasks: only a newer one ends the wait.
    await waitForSeq(this.core, Math.max(afterSeq, store.events.last), waitMs, signal);
    return store.events.ofAll(afterSeq, limit).map(eventView);
  }

  eventsWhere(
    filter: EventFilter,
    afterSeq: number,
    limit: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<EventPage> {
    return eventPage(this.core, { filter, afterSeq, limit, waitMs }, signal);
  }

  async wait(
    ids: readonly string[],
    mode: WaitMode,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<WaitAnswer> {
    await waitForSome(this.core, ids, mode, waitMs, signal);
    return waitAnswer(this.core, ids, mode);
  }

  lastSeq(): number {
    return this.core.store.events.last;
  }

  deleteTask(taskId: string, owner: string | undefined): Promise<void> {
    return deleteTask(this.core, taskId, owner);
  }

  actions(body: unknown, owner: string | undefined, signal: AbortSignal): Promise<BulkAnswer> {
    return actOnTasks(this.core, this.intake, body, { owner, signal });
  }

  snapshot(queue: string | undefined): Snapshot {
    return snapshotView(this.core, queue);
  }

  markRead(taskId: string, reader: string, body: unknown): Promise<ReadMark> {
    return markRead(this.core, taskId, reader, body);
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
    { owner, wait_ms, reason, ...how }: KillOptions,
    signal: AbortSignal,
  ): Promise<GroupKillAnswer> {
    groupView(this.core, { tenant, group });
    const note = killNoteOf(owner, reason);
    const done = await this.core.groups.kill({ tenant, group }, { ...how, note }, owner);
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

  ready(): Promise<Readiness> {
    return readiness(this.core);
  }

  metrics(): Promise<string> {
    return this.views.metrics();
  }
}
