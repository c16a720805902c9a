import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { Executor, ExecutorEvents } from '../../src/executor/executor.js';
import { Ledger } from '../../src/ledger/ledger.js';
import { WaitingQueue } from '../../src/ledger/scheduler.js';
import { SessionLines } from '../../src/ledger/session-lines.js';
import { Announcer } from '../../src/runtime/announcer.js';
import type { RuntimeSettings } from '../../src/runtime/core.js';
import { Ends } from '../../src/runtime/lifecycle/complete.js';
import { Conflicts } from '../../src/runtime/lifecycle/conflicts.js';
import { Dependants } from '../../src/runtime/lifecycle/dependants.js';
import { Dispatcher } from '../../src/runtime/lifecycle/dispatch.js';
import { Groups } from '../../src/runtime/lifecycle/groups.js';
import { newIntake, type Intake } from '../../src/runtime/lifecycle/submit.js';
import { LiveTasks } from '../../src/runtime/live-tasks.js';
import { Notices } from '../../src/runtime/notify/notices.js';
import { Sender } from '../../src/runtime/notify/sender.js';
import { TestMessages } from '../../src/runtime/notify/test-message.js';
import { InlineTexts } from '../../src/runtime/output/inline-text.js';
import { recover } from '../../src/runtime/recovery/recover.js';
import type { RuntimeCore } from '../../src/runtime/runtime.js';
import { QueueRules } from '../../src/runtime/queue-rules.js';
import { StorageMeter } from '../../src/runtime/sessions/storage-meter.js';
import { Schedules } from '../../src/runtime/schedules/schedules.js';
import { Schedule } from '../../src/runtime/schedule.js';
import { FileThread } from '../../src/runtime/upkeep/file-thread.js';
import { openStore } from '../../src/store/open.js';
import { AllowList } from '../../src/webhook/allow-list.js';
import { Secrets } from '../../src/webhook/secrets.js';
import { ableHost } from '../sandbox/hosts.js';

/** A runtime without a daemon around it, over an executor of the test's own. */
export interface RuntimeUnderTest {
  core: RuntimeCore;
  intake: Intake;
  /** Goes away as a daemon does: what runs goes on. */
  leave: () => Promise<void>;
}

/**
 * Starts it in the order in which a daemon does.
 * @param dataDir with its subdirectories; what an earlier one has left there is taken over
 * @param taskSlots how many tasks run at once
 * @param options.now Unix time in milliseconds
 * @param options.newId makes the ids of tasks that are given none
 */
export async function startRuntime(
  dataDir: string,
  taskSlots: number,
  open: (events: ExecutorEvents) => Executor,
  { now = Date.now, newId = randomUUID }: { now?: () => number; newId?: () => string } = {},
): Promise<RuntimeUnderTest> {
  const log = pino({ enabled: false });
  const steady = () => performance.timeOrigin + performance.now();
  const settings: RuntimeSettings = {
    dataDir,
    maxQueuedTasks: 1000,
    maxQueuedPerTenant: 0,
    maxSessions: 100,
    maxFileBytes: 1_000_000,
    defaultWallTimeMs: 0,
    outputKeepBytes: 4096,
    defaultCapabilityMode: 'adaptive',
    taskUser: undefined,
    machine: { hostname: 'machine', profile: undefined, tags: [] },
    taskOwner: undefined,
    allowRootfs: [],
    capabilities: ableHost(),
  };
  const store = openStore({ dataDir, now, bootId: 'boot' });
  const files = new FileThread(dataDir);
  const inlineTexts = new InlineTexts();
  const ledger = new Ledger({ capacity: { task_slots: taskSlots }, quotas: new Map() });
  const queue = new WaitingQueue({ ledger, starvationMs: 60_000 });
  const clocks = { now, steady, lasting: () => store.kept.clock.now() };
  const schedule = new Schedule(
    ledger,
    queue,
    settings.machine,
    clocks,
    new SessionLines((id) => store.sessions.concurrencyOf(id) ?? 1),
  );
  const live = new LiveTasks(clocks);
  const rules = new QueueRules(store.queues.all(), schedule, log);
  const webhooks = { allowed: new AllowList([]), secrets: new Secrets(undefined) };
  const base = {
    settings,
    store,
    live,
    announcer: new Announcer(),
    log,
    now,
    schedule,
    files,
    inlineTexts,
    rules,
    webhooks,
    storageMeter: new StorageMeter({ settings, store, log, now }),
    notices: new Notices(store, rules, { maxAgeMs: 1000 }),
    testMessages: new TestMessages({
      webhooks,
      sender: new Sender({ ...webhooks, timeoutMs: 1000, now }),
      now,
    }),
  };
  const ends = new Ends(base);
  const dispatcher = new Dispatcher({ ...base, ends }, open);
  const dependants = new Dependants({ ...base, ends, dispatcher });
  const parts = { ...base, ends, dispatcher, dependants, executor: dispatcher.executor };
  const grouped = { ...parts, groups: new Groups(parts) };
  await recover({ ...grouped, conflicts: new Conflicts(grouped) });
  const intake = newIntake(newId);
  const schedules = new Schedules(grouped, intake);
  const core = { ...grouped, schedules };
  return {
    core,
    intake,
    leave: async () => {
      schedule.accepting = false;
      await schedules.close();
      await core.executor.close(false);
      store.close();
      await inlineTexts.close();
      await files.close();
      await base.storageMeter.close();
    },
  };
}
