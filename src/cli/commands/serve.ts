import type { Command } from 'commander';
import { command, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { packageVersion } from '../package-version.js';
import { UsageError } from '../usage-error.js';

/** `execgo serve`: reads flags by name only; what they hold is judged by the configuration. */
export async function main(argv: readonly string[]): Promise<number> {
  const built = serveCommand();
  if (!parsed(built, argv)) return EXIT.ok;
  const { loadConfig } = await import('../../daemon/config.js');
  const config = loadConfig(built.opts(), process.env);
  const { runDaemon } = await import('../../daemon/run-daemon.js');
  await runDaemon(config, packageVersion());
  return EXIT.ok;
}

const append = (value: string, previous: string[] = []): string[] => [...previous, value];

/** npm takes flags for its own, and passes on what is left of them. @throws UsageError as {@link parse} does */
function parsed(built: Command, argv: readonly string[]): boolean {
  try {
    return parse(built, argv);
  } catch (error) {
    if (!(error instanceof UsageError) || process.env['npm_lifecycle_event'] !== 'start') throw error;
    throw new UsageError(
      `${error.message}; with npm start, flags go after --: npm start -- --listen-addr 127.0.0.1:0`,
    );
  }
}

/** No defaults here: a flag that is not given may come from the environment, and both end in `loadConfig`. */
function serveCommand(): Command {
  return command('serve', 'Runs the daemon.', [
    'execgo serve',
    'execgo serve --listen-addr 127.0.0.1:9000 --data-dir /var/lib/execgo --max-running-tasks 16',
    'execgo serve --tenant-quota search=slots:4,memory:8589934592 --tenant-quota ads=slots:2',
  ])
    .option('--listen-addr <host:port>', 'where to listen (default: 127.0.0.1:8080)')
    .option('--listen-socket <path>', 'listen on a Unix socket, and on no address')
    .option(
      '--listen-socket-mode <mode>',
      'who may connect to it, as an octal mode (default: 0600, this user)',
    )
    .option('--data-dir <path>', 'where everything is kept (default: runtime-data)')
    .option('--max-running-tasks <n>', 'task slots (default: 4)')
    .option('--max-queued-tasks <n>', 'how many tasks may wait (default: 128)')
    .option('--max-connections <n>', 'how many clients may be connected (default: 2048)')
    .option('--max-body-bytes <n>', 'what the bodies of all requests may hold at once (default: 134217728)')
    .option('--termination-grace-ms <n>', 'from TERM to KILL (default: 5000)')
    .option(
      '--default-wall-time-ms <n>',
      'how long a task may run whose request does not say; 0: no limit (default: 300000)',
    )
    .option('--output-keep-bytes <n>', 'how much of each output stream is kept (default: 67108864)')
    .option('--result-retention-secs <n>', 'how long ended tasks are kept (default: 604800)')
    .option('--idempotency-retention-secs <n>', 'how long idempotency keys are kept (default: 2592000)')
    .option('--retain-max-tasks <n>', 'how many ended tasks are kept (default: 0, no bound)')
    .option('--retain-max-bytes <n>', 'disk space that ended tasks may take (default: 0, no bound)')
    .option('--gc-interval-ms <n>', 'how often they are looked for (default: 1000)')
    .option(
      '--dispatch-poll-interval-ms <n>',
      'how often waiting tasks are looked at beyond need (default: 250)',
    )
    .option('--starvation-ms <n>', 'after this wait a task gets room held for it (default: 60000)')
    .option('--cgroup-root <path>', 'where cgroups are made (default: /sys/fs/cgroup/execgo-runtime)')
    .option(
      '--runtime-id <id>',
      'the name of this daemon (default: host and address; env: EXECGO_RUNTIME_ID)',
    )
    .option(
      '--default-capability-mode <mode>',
      'adaptive or strict (default: adaptive; env: EXECGO_RUNTIME_DEFAULT_CAPABILITY_MODE)',
    )
    .option('--disable-linux-sandbox', 'offer no namespaces (env: EXECGO_RUNTIME_DISABLE_LINUX_SANDBOX)')
    .option('--disable-cgroup', 'use no cgroups (env: EXECGO_RUNTIME_DISABLE_CGROUP)')
    .option(
      '--capacity-memory-bytes <n>',
      'memory to give to tasks (default: detected; env: EXECGO_RUNTIME_CAPACITY_MEMORY_BYTES)',
    )
    .option(
      '--capacity-pids <n>',
      'processes to give to tasks (default: detected; env: EXECGO_RUNTIME_CAPACITY_PIDS)',
    )
    .option('--capacity-cpu-millis <n>', 'thousandths of cores to give to tasks (default: detected)')
    .option('--tenant-quota <quota>', 'name=slots:N[,memory:BYTES][,pids:N][,cpu:MILLIS]; repeatable', append)
    .option('--profile <name>', 'what tasks with policy.demands.profile ask for')
    .option('--tag <name>', 'what tasks with policy.demands.tags ask for; repeatable', append)
    .option('--task-user <user>', 'run tasks as this user, when the daemon is root')
    .option(
      '--allow-rootfs <dir>',
      'a directory in or below which a task may have its root file system; repeatable',
      append,
    )
    .option('--launcher <launcher>', 'libc, execa or auto (default: auto)')
    .option('--allow-host <name>', 'a host name by which this machine may be addressed; repeatable', append)
    .option('--insecure', 'listen on other addresses than loopback without asking who comes')
    .option('--drain', 'when told to stop, wait for the running tasks first')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent (default: info)');
}
