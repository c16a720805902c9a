import { existsSync, readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Config } from './config.js';

/** Connections take at most this share of the descriptors that this process may open. */
const CONNECTIONS_SHARE = 0.5;

/** How many connections are taken in: what was asked for, or what the limit on open files leaves room for. */
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

/** The soft limit on open files of this process, which Node has raised to the hard one; Infinity where it is not told. */
function openFilesMax(): number {
  if (!existsSync('/proc/self/limits')) return Infinity;
  const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return soft === undefined ? Infinity : Number(soft);
}
