import fs from 'node:fs';
import path from 'node:path';
import { PASSABLE } from '../../runtime/files/task-owner.js';
import { DATABASE_FILE } from '../../store/open.js';
import { whyNotOwn } from '../../store/database/own-data-dir.js';
import type { Finding } from '../../task/health.js';

/** What the daemon makes in its data directory; some of it comes with its first start only. */
const DIRECTORIES = ['.', 'tasks', 'trash', 'supervisor', 'sessions'];
const FILES = ['runtime.db', 'runtime.db-wal', 'daemon.json'];

/** Through these a daemon that is root lets the group of `--task-user`, on the way to the workspaces. */
const LET_THROUGH = ['.', 'tasks', 'sessions'];

/**
 * Whether a start would trust the data directory, and the modes of what the daemon keeps.
 * @param taskGroup the group that the last daemon let through; null: none, undefined: not known
 */
export function permissionFindings(dataDir: string, taskGroup: number | null | undefined): Finding[] {
  const distrust = whyNotOwn(dataDir);
  if (distrust !== undefined) return [problem(distrust.problem, distrust.advice)];
  // The first start makes a new directory private, whatever git or mkdir has made of it.
  const isNew = !fs.existsSync(path.join(dataDir, DATABASE_FILE));
  const directories = isNew ? DIRECTORIES.slice(1) : DIRECTORIES;
  const found = [
    ...directories.flatMap((name) => tooOpen(dataDir, name, 0o700, taskGroup)),
    ...FILES.flatMap((name) => tooOpen(dataDir, name, 0o600, taskGroup)),
  ];
  if (found.length > 0) return found;
  const message = isNew
    ? `${dataDir} is new: the first start makes it private to its owner`
    : `${dataDir} is private to its owner`;
  return [{ check: 'permissions', level: 'ok', message }];
}

function tooOpen(
  dataDir: string,
  name: string,
  mode: number,
  taskGroup: number | null | undefined,
): Finding[] {
  const file = path.join(dataDir, name);
  // The data directory itself may be reached through a link.
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & 0o777 & ~mode) === 0) return [];
  if (LET_THROUGH.includes(name) && isLetThrough(stat, taskGroup)) return [];
  const shown = (stat.mode & 0o777).toString(8);
  return [problem(`${file} can be used by others (mode ${shown})`, `chmod ${mode.toString(8)} ${file}`)];
}

/** What a daemon that is root sets with `--task-user`. Its next start without it closes them again. */
function isLetThrough({ mode, gid }: fs.Stats, taskGroup: number | null | undefined): boolean {
  return (mode & 0o777) === PASSABLE && (taskGroup === undefined || gid === taskGroup);
}

function problem(message: string, advice: string): Finding {
  return { check: 'permissions', level: 'problem', message, advice };
}
