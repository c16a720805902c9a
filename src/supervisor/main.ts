import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LAUNCHER_CHOICES, chooseLauncher } from './spawn/choose-launcher.js';
import type { LauncherChoice } from './spawn/choose-launcher.js';
import { systemClock } from './clock.js';
import { JournalWriter } from './journal/journal-writer.js';
import { fileLog } from './log.js';
import { readSecret } from './wire/proof.js';
import { SUPERVISOR_FILES } from './wire/protocol.js';
import { DaemonListener } from './wire/server.js';
import { makeSocketPlace } from './wire/socket-path.js';
import { Supervisor } from './run/supervisor.js';

/** How long a supervisor without tasks waits for a daemon, in milliseconds. */
const DEFAULT_IDLE_EXIT_MS = 5000;
/** How much longer than their grace to wait for the ends of tasks whose data directory was deleted, in milliseconds. */
const LAST_LOOK_MS = 100;

interface ProcessOptions {
  /** The supervisor's directory, `<data-dir>/supervisor/<incarnation>`, absolute, which holds the secret. */
  dir: string;
  incarnation: string;
  version: string;
  idleExitMs: number;
  launcher: LauncherChoice;
}

/**
 * Runs the supervisor until it exits by itself: when no task runs, every end is acknowledged and no daemon has been
 * connected for `idleExitMs`; when it was told to drain and every end is acknowledged; or, after ending its tasks, when the
 * path of its socket does not lead to it any more. On SIGTERM, SIGINT and SIGHUP it ends as soon as it has nothing to do,
 * and not before: stopping a service must not end tasks, because its next daemon will look for them.
 * @returns once it listens.
 * @throws Error when it cannot start.
 */
async function runSupervisor(options: ProcessOptions): Promise<void> {
  const { dir, incarnation, version, idleExitMs } = options;
  const log = fileLog(join(dir, SUPERVISOR_FILES.log));
  const launcher = await chooseLauncher(options.launcher, (reason) =>
    log('falling back to the execa launcher', { reason }),
  );
  const journal = new JournalWriter(join(dir, SUPERVISOR_FILES.journal));
  const place = makeSocketPlace(dir);
  let hasDaemon = false;
  let isToldToEnd = false;
  let idleTimer: NodeJS.Timeout | undefined;

  const exit = () => {
    server.close();
    place.remove();
    journal.close();
    launcher.close();
    process.exit(0);
  };
  const reconsider = () => {
    clearTimeout(idleTimer);
    if (!supervisor.isIdle) return;
    if (supervisor.isDraining || (isToldToEnd && !hasDaemon)) exit();
    else if (!hasDaemon) idleTimer = setTimeout(() => supervisor.isIdle && exit(), idleExitMs);
  };
  const endEverything = () => {
    log('the socket is gone: its data directory was deleted or moved; all tasks are ended');
    supervisor.stopAll();
    setInterval(() => !supervisor.hasRuns && exit(), LAST_LOOK_MS);
  };
  const server = new DaemonListener({
    dir,
    socketPath: place.path,
    secret: readSecret(dir),
    incarnation,
    version,
    log,
    message: (message) => supervisor.handle(message),
    garbled: (value) => supervisor.handleGarbled(value),
    connected: (connected) => {
      hasDaemon = connected;
      reconsider();
    },
    unreachable: endEverything,
  });
  const supervisor = new Supervisor({
    launcher,
    journal,
    clock: systemClock,
    log,
    tell: (message) => server.tell(message),
    tellLater: (make) => server.tellLater(make),
    idle: reconsider,
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => {
      isToldToEnd = true;
      if (supervisor.isIdle) exit();
    });
  await server.listen();
  // An error in one handler must not end the tasks.
  process.on('uncaughtException', (error) => log('uncaught error', { error: error.stack ?? String(error) }));
  reconsider();
}

/**
 * The command line of `execgo internal-supervisor`.
 * @throws Error for arguments that the daemon does not give, and when it cannot start.
 */
export async function supervisorMain(argv: string[]): Promise<void> {
  const { values } = parseArgs({
    args: argv,
    options: {
      dir: { type: 'string' },
      incarnation: { type: 'string' },
      version: { type: 'string', default: '' },
      launcher: { type: 'string', default: 'auto' },
      'idle-exit-ms': { type: 'string', default: String(DEFAULT_IDLE_EXIT_MS) },
    },
  });
  const { dir, incarnation, version } = values;
  const launcher = LAUNCHER_CHOICES.find((choice) => choice === values.launcher);
  const idleExitMs = Number(values['idle-exit-ms']);
  if (dir === undefined || incarnation === undefined) throw new Error('--dir and --incarnation are required');
  if (launcher === undefined) throw new Error(`--launcher must be one of ${LAUNCHER_CHOICES.join(', ')}`);
  if (!Number.isSafeInteger(idleExitMs) || idleExitMs < 0)
    throw new Error('--idle-exit-ms must be a whole number of milliseconds');
  await runSupervisor({ dir, incarnation, version, launcher, idleExitMs });
}
