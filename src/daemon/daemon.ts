import type { Logger } from 'pino';
import type { Core } from '../runtime/core.js';
import { pump } from '../runtime/lifecycle/dispatch.js';
import { drained } from '../runtime/lifecycle/drain.js';
import { InlineTexts } from '../runtime/output/inline-text.js';
import { recover } from '../runtime/recovery/recover.js';
import { FileThread } from '../runtime/upkeep/file-thread.js';
import { buildCore } from './build-core.js';
import type { Config } from './config.js';
import { dataDirectory, dataDirLock, taskOwner } from './data-directory.js';
import { host } from './host.js';
import { Lifecycle } from './lifecycle.js';
import { serveHttp } from './serve-http.js';
import { collector, maintenance } from './upkeep.js';

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
  const life = new Lifecycle({ ...options, now: Date.now, startedAt: Date.now() }, (err) => {
    log.error({ err }, 'not everything could be closed after the start had failed');
  })
    .part('taskOwner', taskOwner)
    .part('lock', dataDirLock)
    .part('data', dataDirectory)
    .part('host', host)
    .part('files', { start: () => new FileThread(config.dataDir), stop: (files) => files.close() })
    .part('inlineTexts', { start: () => new InlineTexts(), stop: (texts) => texts.close() })
    .part('core', { start: buildCore })
    .part('executor', {
      start: ({ core }) => core.executor,
      stop: (executor, { core }) => executor.close(isIdle(core)),
    })
    .part('recovered', { start: ({ core }) => recover(core) })
    .part('safetyNet', {
      start: ({ core }) => setInterval(pump, config.dispatchPollIntervalMs, core),
      stop: clearInterval,
    })
    .part('collector', collector)
    .part('http', { start: serveHttp, stop: (http) => http.stop() })
    .part('maintenance', maintenance)
    .part('accepting', { start: ({ core }) => core, stop: stopAccepting });
  let starting: ReturnType<typeof life.start> | undefined;
  return {
    start: async () => {
      starting = life.start();
      const made = await starting;
      if (made === undefined) return undefined;
      const { lock, core, http, recovered, host, startedAt } = made;
      const { url } = http;
      lock.describe({ pid: process.pid, listen_addr: url, started_at: new Date(startedAt).toISOString() });
      log.info(
        {
          url,
          runtime_id: http.runtimeId,
          pid: process.pid,
          supervisor_pid: core.executor.place?.pid,
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
        stopAccepting(made.core);
        await drained(made.core);
      }
      await life.stop();
    },
  };
}

/** Whether nothing is left for supervisors to do. */
function isIdle(core: Core): boolean {
  return ![...core.live.all()].some((task) => task.record.status === 'running');
}

function stopAccepting(core: Core): void {
  core.accepting = false;
}
