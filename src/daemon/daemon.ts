import os from 'node:os';
import type { Logger } from 'pino';
import { Ledger } from '../ledger/ledger.js';
import { WaitingQueue } from '../ledger/scheduler.js';
import { SessionLines } from '../ledger/session-lines.js';
import { Announcer } from '../runtime/announcer.js';
import type { RuntimeSettings } from '../runtime/core.js';
import { Ends } from '../runtime/lifecycle/complete.js';
import { Conflicts } from '../runtime/lifecycle/conflicts.js';
import { Dependants } from '../runtime/lifecycle/dependants.js';
import { Dispatcher } from '../runtime/lifecycle/dispatch.js';
import { Groups } from '../runtime/lifecycle/groups.js';
import { newIntake } from '../runtime/lifecycle/submit.js';
import { drained } from '../runtime/lifecycle/drain.js';
import { LiveTasks } from '../runtime/live-tasks.js';
import { TestMessages } from '../runtime/notify/test-message.js';
import type { Clocks } from '../runtime/steady-clock.js';
import { InlineTexts } from '../runtime/output/inline-text.js';
import { recover } from '../runtime/recovery/recover.js';
import { QueueRules } from '../runtime/queue-rules.js';
import { Schedule, type SessionTask } from '../runtime/schedule.js';
import { StorageMeter } from '../runtime/sessions/storage-meter.js';
import { Schedules } from '../runtime/schedules/schedules.js';
import { makeTaskId } from '../task/task-id.js';
import { FileThread } from '../runtime/upkeep/file-thread.js';
import type { Config } from './config.js';
import { readBootId } from '../sandbox/process/process-identity.js';
import { dataDirLock, openedStore, taskOwner } from './data-directory.js';
import { openExecutor } from './executor.js';
import { host } from './host.js';
import { Lifecycle } from './lifecycle.js';
import { serveHttp } from './serve-http.js';
import { collector, maintenance } from './upkeep.js';
import { notices, notifier, sender, webhooks } from './notify.js';
import { followUps } from './follow-ups.js';
import { taskDoor, taskSocket } from './task-socket.js';
import { freeAddress } from './listen-address.js';

export interface DaemonOptions {
  config: Config;
  version: string;
  log: Logger;
  env: NodeJS.ProcessEnv;
}

/** A daemon, from its start to its stop. */
export interface Daemon {
  /**
   * Answers only once recovery is done.
   * @returns where it listens, e.g. `http://127.0.0.1:8080`; undefined when it was stopped before
   * @throws ExecgoError saying why it cannot start; nothing is left behind then
   */
  start: () => Promise<string | undefined>;
  /**
   * Stops: running tasks go on in the supervisor. Resolves when everything is closed.
   * @param drain wait for the start and for the running tasks first; nothing new is accepted or started meanwhile
   */
  stop: (drain: boolean) => Promise<void>;
}

/** The parts of a daemon in their order: each is started from those above it, and stopped before them. */
export function createDaemon(options: DaemonOptions): Daemon {
  const { config, version, log } = options;
  const now = Date.now;
  const steady = () => performance.timeOrigin + performance.now();
  const life = new Lifecycle({ ...options, now, startedAt: now() }, (err) => {
    log.error({ err }, 'not everything could be closed after the start had failed');
  })
    .part('taskOwner', taskOwner)
    .part('freeAddress', freeAddress)
    .part('lock', dataDirLock)
    .part('bootId', { start: readBootId })
    .part('store', openedStore)
    .part('taskSocket', taskSocket)
    .part('host', host)
    .part('files', { start: () => new FileThread(config.dataDir), stop: (files) => files.close() })
    .part('inlineTexts', { start: () => new InlineTexts(), stop: (texts) => texts.close() })
    .part('settings', {
      start: ({ host: { capabilities }, taskOwner }): RuntimeSettings => {
        const machine = { hostname: os.hostname(), profile: config.profile, tags: config.tags };
        return { ...config, machine, taskOwner, capabilities };
      },
    })
    .part('announcer', { start: () => new Announcer() })
    .part('clocks', {
      start: ({ store }): Clocks => ({ now, steady, lasting: () => store.kept.clock.now() }),
    })
    .part('live', { start: ({ clocks }) => new LiveTasks(clocks) })
    .part('schedule', {
      start: ({ clocks, host: { capacity }, settings: { machine }, store }) => {
        const ledger = new Ledger({ capacity, quotas: config.tenantQuotas, resources: config.resources });
        const queue = new WaitingQueue({ ledger, starvationMs: config.starvationMs });
        const sessions = new SessionLines<SessionTask>((id) => store.sessions.concurrencyOf(id) ?? 1);
        return new Schedule(ledger, queue, machine, clocks, sessions);
      },
    })
    .part('rules', {
      start: ({ store, schedule }) => new QueueRules(store.queues.all(), schedule, log),
    })
    .part('storageMeter', { start: (parts) => new StorageMeter(parts), stop: (meter) => meter.close() })
    .part('webhooks', webhooks)
    .part('notices', notices)
    .part('sender', sender)
    .part('testMessages', { start: (parts) => new TestMessages(parts) })
    .part('ends', { start: (parts) => new Ends(parts) })
    .part('dispatcher', {
      start: (parts) => new Dispatcher(parts, (events) => openExecutor(parts, events)),
    })
    .part('dependants', { start: (parts) => new Dependants(parts) })
    .part('executor', {
      start: ({ dispatcher }) => dispatcher.executor,
      stop: (executor, { live }) => executor.close(isIdle(live)),
    })
    .part('groups', { start: (parts) => new Groups(parts) })
    .part('conflicts', { start: (parts) => new Conflicts(parts) })
    .part('recovered', { start: recover })
    .part('taskDoor', taskDoor)
    .part('notifier', notifier)
    .part('intake', { start: ({ now }) => newIntake(() => makeTaskId(now())) })
    .part('schedules', {
      start: (parts) => new Schedules(parts, parts.intake),
      stop: (schedules) => schedules.close(),
    })
    .part('safetyNet', {
      start: ({ dispatcher }) => setInterval(() => dispatcher.pump(), config.dispatchPollIntervalMs),
      stop: clearInterval,
    })
    .part('collector', collector)
    .part('followUps', followUps)
    .part('http', { start: serveHttp, stop: (http) => http.stop() })
    .part('maintenance', maintenance)
    .part('due', {
      start: ({ schedules }) => {
        schedules.start();
      },
    })
    .part('accepting', { start: ({ schedule }) => schedule, stop: stopAccepting });
  let starting: ReturnType<typeof life.start> | undefined;
  return {
    start: async () => {
      starting = life.start();
      const made = await starting;
      if (made === undefined) return undefined;
      const { lock, executor, http, recovered, host, startedAt } = made;
      const { url } = http;
      lock.describe({ pid: process.pid, listen_addr: url, started_at: new Date(startedAt).toISOString() });
      log.info(
        {
          url,
          runtime_id: http.runtimeId,
          pid: process.pid,
          supervisor_pid: executor.place?.pid,
          data_dir: config.dataDir,
          version,
          recovered,
          capacity: host.capacity,
        },
        'listening',
      );
      return url;
    },
    stop: async (drain) => {
      const made = drain ? await starting?.catch(() => undefined) : undefined;
      if (made !== undefined) {
        stopAccepting(made.schedule);
        await drained(made);
      }
      await life.stop();
    },
  };
}

/** Whether nothing is left for supervisors to do. */
function isIdle(live: LiveTasks): boolean {
  return ![...live.all()].some((task) => task.record.status === 'running');
}

function stopAccepting(schedule: Schedule): void {
  schedule.accepting = false;
}
