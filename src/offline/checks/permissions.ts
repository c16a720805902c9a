import fs from 'node:fs';
import path from 'node:path';
import { PASSABLE } from '../../runtime/files/task-owner.js';
import { DATABASE_FILE } from '../../store/open.js';
import { whyNotOwn } from '../../store/database/own-data-dir.js';
import { ok, problem, type Finding } from './finding.js';

const CHECK = 'permissions';

/** Directories that the daemon makes in its data directory, some only at its first start. */
const DIRECTORIES = ['.', 'tasks', 'trash', 'supervisor', 'sessions'];
const FILES = ['runtime.db', 'runtime.db-wal', 'daemon.json'];

/** Directories that a daemon run as root opens to the group of `--task-user`, because they lead to the workspaces. */
const LET_THROUGH = ['.', 'tasks', 'sessions'];

/**
 * Checks whether a daemon would trust the data directory, and the modes of the daemon's own files.
 * @param taskGroup the group to which the last daemon opened the way; null: none, undefined: not known
 */
export function permissionFindings(dataDir: string, taskGroup: number | null | undefined): Finding[] {
  const distrust = whyNotOwn(dataDir);
  if (distrust !== undefined) return [problem(CHECK, distrust.problem, distrust.advice)];
  // The first start of a daemon makes a new data directory private itself, whatever mode it has.
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
  return [ok(CHECK, message)];
}

function tooOpen(
  dataDir: string,
  name: string,
  mode: number,
  taskGroup: number | null | undefined,
): Finding[] {
  const file = path.join(dataDir, name);
  // The path of the data directory may be a link.
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & 0o777 & ~mode) === 0) return [];
  if (LET_THROUGH.includes(name) && isLetThrough(stat, taskGroup)) return [];
  const shown = (stat.mode & 0o777).toString(8);
  return [
    problem(CHECK, `${file} can be used by others (mode ${shown})`, `chmod ${mode.toString(8)} ${file}`),
  ];
}

/** True for the mode that a daemon run as root sets for `--task-user`. Its next start without that flag removes it. */
function isLetThrough({ mode, gid }: fs.Stats, taskGroup: number | null | undefined): boolean {
  return (mode & 0o777) === PASSABLE && (taskGroup === undefined || gid === taskGroup);
}
