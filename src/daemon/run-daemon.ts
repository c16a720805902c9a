import { once } from 'node:events';
import pino, { type Logger } from 'pino';
import type { Config } from './config.js';
import { createDaemon } from './daemon.js';
import { lossyDestination } from './log-destination.js';
import { LISTEN_ADDR } from '../settings/defaults.js';

/**
 * Runs a daemon as this process: logs to stdout (JSON; for people on a terminal), stops in order on SIGTERM or SIGINT,
 * at once on a second one; while it starts, as soon as the step under way is done. Resolves when it has stopped.
 * @throws ExecgoError when it cannot start
 */
export async function runDaemon(config: Config, version: string): Promise<void> {
  const log = await createLog(config.logLevel);
  const daemon = createDaemon({ config, version, log, env: process.env });
  const stopped = firstSignal().then(async (signal) => {
    log.info(
      { signal },
      config.drain ? 'stopping; waiting for running tasks' : 'stopping; running tasks go on',
    );
    process.once('SIGTERM', () => process.exit(1));
    process.once('SIGINT', () => process.exit(1));
    await daemon.stop(config.drain);
    log.info('stopped');
  });
  const started = daemon.start().then((url) => {
    const isPerson = process.stdout.isTTY || process.env['npm_lifecycle_event'] === 'start';
    if (url !== undefined && isPerson) greet(url);
  });
  await Promise.all([started, stopped]);
}

async function createLog(level: string): Promise<Logger> {
  if (!process.stdout.isTTY) return pino({ level, base: null }, lossyDestination(process.stdout.fd));
  const { default: pretty } = await import('pino-pretty');
  return pino({ level, base: null }, pretty({ colorize: true, sync: true, ignore: 'pid,hostname' }));
}

async function firstSignal(): Promise<string> {
  const abort = new AbortController();
  const wait = async (signal: NodeJS.Signals) => {
    await once(process, signal, { signal: abort.signal });
    return signal;
  };
  const signals = [wait('SIGTERM'), wait('SIGINT')];
  try {
    return await Promise.race(signals);
  } finally {
    abort.abort();
  }
}

/** The address that the client uses by default. */
const DEFAULT_URL = `http://${LISTEN_ADDR}`;

function greet(url: string): void {
  const server = url === DEFAULT_URL ? '' : ` --server ${url}`;
  const info = '/api/v1/runtime/info';
  const curl = url.startsWith('unix:')
    ? `curl --unix-socket ${url.slice('unix:'.length)} http://localhost${info}`
    : `curl ${url}${info}`;
  process.stderr.write(
    [
      '',
      `execgo serves on ${url}. In another terminal, in this folder, try:`,
      '',
      `  npx execgo run${server} -- sh -c 'echo hello from execgo'`,
      `  npx execgo list${server}`,
      `  ${curl}`,
      '',
      '',
    ].join('\n'),
  );
}
