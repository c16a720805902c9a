import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { Executor, ExecutorEvents } from '../../src/executor/executor.js';
import { Ledger } from '../../src/ledger/ledger.js';
import { WaitingQueue } from '../../src/ledger/scheduler.js';
import { Announcer } from '../../src/runtime/announcer.js';
import type { Core } from '../../src/runtime/core.js';
import { AttemptEvents } from '../../src/runtime/lifecycle/attempt-events.js';
import { pump } from '../../src/runtime/lifecycle/dispatch.js';
import { newIntake, type Intake } from '../../src/runtime/lifecycle/submit.js';
import { LiveTasks } from '../../src/runtime/live-tasks.js';
import { InlineTexts } from '../../src/runtime/output/inline-text.js';
import { recover } from '../../src/runtime/recovery/recover.js';
import { FileThread } from '../../src/runtime/upkeep/file-thread.js';
import { openStore } from '../../src/store/open.js';
import { ableHost } from '../sandbox/hosts.js';

/** A runtime without a daemon around it, over an executor of the test's own. */
export interface RuntimeUnderTest {
  core: Core;
  intake: Intake;
  /** Goes away as a daemon does: what runs goes on. */
  leave: () => Promise<void>;
}

/**
 * Starts it in the order in which a daemon does.
 * @param dataDir with its subdirectories; what an earlier one has left there is taken over
 * @param taskSlots how many tasks run at once
 */
export async function startRuntime(
  dataDir: string,
  taskSlots: number,
  open: (events: ExecutorEvents) => Executor,
): Promise<RuntimeUnderTest> {
  const log = pino({ enabled: false });
  const store = openStore({ dataDir, now: Date.now, bootId: 'boot' });
  const files = new FileThread(dataDir);
  const steady = () => performance.timeOrigin + performance.now();
  const core: Core = {
    settings: {
      dataDir,
      maxQueuedTasks: 1000,
      defaultWallTimeMs: 0,
      outputKeepBytes: 4096,
      defaultCapabilityMode: 'adaptive',
      taskUser: undefined,
      machine: { hostname: 'machine', profile: undefined, tags: [] },
      taskOwner: undefined,
      allowRootfs: [],
      capabilities: ableHost(),
    },
    store,
    ledger: new Ledger({ capacity: { task_slots: taskSlots }, quotas: new Map() }),
    waiting: new WaitingQueue({ starvationMs: 60_000 }),
    live: new LiveTasks({ now: Date.now, steady }),
    announcer: new Announcer(),
    executor: open(new AttemptEvents(() => core)),
    inlineTexts: new InlineTexts(),
    files,
    log,
    now: Date.now,
    steady,
    newToken: randomUUID,
    unmatched: new Set(),
    unlaunched: new Set(),
    accepting: true,
  };
  core.announcer.onAnyEnd(() => {
    pump(core);
  });
  await recover(core);
  return {
    core,
    intake: newIntake(randomUUID),
    leave: async () => {
      core.accepting = false;
      await core.executor.close(false);
      store.close();
      await core.inlineTexts.close();
      await files.close();
    },
  };
}
