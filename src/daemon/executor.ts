import path from 'node:path';
import { isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import type { Executor, ExecutorEvents } from '../executor/executor.js';
import { LocalExecutor, type LocalOptions } from '../executor/local/local-executor.js';
import type { Config } from './config.js';
import type { Host } from './host.js';
import { inheritedEnvironment } from './inherited-environment.js';

/** The compiled program, run again as the supervisor; the single executable is its own entry. */
const ENTRY = isSea() ? undefined : fileURLToPath(new URL('../../bin/execgo.js', import.meta.url));

type Given = Pick<LocalOptions, 'version' | 'bootId' | 'store' | 'log' | 'now'> & {
  config: Config;
  env: NodeJS.ProcessEnv;
  host: Host;
  /** Where tasks reach this daemon. */
  taskSocket: string;
};

/** Where attempts run: nothing of it runs yet. */
export function openExecutor(given: Given, events: ExecutorEvents): Executor {
  const { version, bootId, store, log, now, config, env, host, taskSocket } = given;
  const { dataDir, launcher } = config;
  const { capabilities, layout: cgroupLayout } = host;
  const settings = {
    ...config,
    baseEnv: inheritedEnvironment(env),
    capabilities,
    cgroupLayout,
    taskSocket,
  };
  const root = path.join(dataDir, 'supervisor');
  return new LocalExecutor(
    { root, version, bootId, entry: ENTRY, launcher, settings, store, log, now },
    events,
  );
}
