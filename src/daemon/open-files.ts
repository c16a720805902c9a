import { existsSync, readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Config } from './config.js';

/** The share of the descriptors of this process that connections may take. */
const CONNECTIONS_SHARE = 0.5;

/** The share that tasks may take, and how many there may be in all. */
const TASKS_SHARE = 0.125;
const TASKS_MAX = 8_192;

/** How many connections of tasks to accept. */
export function maxTaskConnections(): number {
  return Math.max(16, Math.min(TASKS_MAX, Math.floor(openFilesMax() * TASKS_SHARE)));
}

/** How many connections to accept: the setting, or less if the limit on open files leaves no room for that. */
export function maxConnections(config: Config, log: Logger): number {
  const openFiles = openFilesMax();
  const room = Math.max(1, Math.floor(openFiles * CONNECTIONS_SHARE));
  if (config.maxConnections <= room) return config.maxConnections;
  log.warn(
    { max_connections: room, open_files: openFiles },
    `fewer connections than --max-connections ${config.maxConnections} are taken in: raise the limit on open files`,
  );
  return room;
}

/** The soft limit on open files of this process, which Node has raised to the hard one; Infinity when it is unknown. */
function openFilesMax(): number {
  if (!existsSync('/proc/self/limits')) return Infinity;
  const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return soft === undefined ? Infinity : Number(soft);
}
