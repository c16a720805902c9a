import fs from 'node:fs';
import path from 'node:path';
import { PASSABLE } from '../../runtime/task-owner.js';
import type { Finding } from '../../task/health.js';

/** What the daemon makes in its data directory; some of it comes with its first start only. */
const DIRECTORIES = ['.', 'tasks', 'trash', 'supervisor', 'sessions'];
const FILES = ['runtime.db', 'runtime.db-wal', 'daemon.json'];

const LET_THROUGH = ['.', 'tasks', 'sessions'];

/** Owner, kind and mode of what the daemon keeps. */
export function permissionFindings(dataDir: string): Finding[] {
  const found = [
    ...DIRECTORIES.flatMap((name) => problems(dataDir, name, 'directory', 0o700)),
    ...FILES.flatMap((name) => problems(dataDir, name, 'file', 0o600)),
  ];
  if (found.length > 0) return found;
  return [{ check: 'permissions', level: 'ok', message: `${dataDir} is private to its owner` }];
}

/**
 * A daemon that is root lets the group of `--task-user` through these on the way to the workspaces. Without that flag
 * its next start closes them again.
 */
function isLetThrough(name: string, stat: fs.Stats): boolean {
  return LET_THROUGH.includes(name) && stat.uid === 0 && (stat.mode & 0o777) === PASSABLE;
}

function problems(dataDir: string, name: string, kind: 'directory' | 'file', mode: number): Finding[] {
  const file = path.join(dataDir, name);
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  const problem = (message: string, advice: string): Finding => ({
    check: 'permissions',
    level: 'problem',
    message: `${file} ${message}`,
    advice,
  });
  // The data directory itself may be reached through a link.
  const isRight = kind === 'directory' ? stat.isDirectory() || name === '.' : stat.isFile();
  if (!isRight) return [problem(`is not a ${kind}`, 'move it away while no daemon runs')];
  const found: Finding[] = [];
  const uid = process.geteuid?.() ?? stat.uid;
  if (stat.uid !== uid)
    found.push(
      problem(
        `belongs to user ${stat.uid}, and this is user ${uid}`,
        'run execgo always as the same user, or chown -R the data directory',
      ),
    );
  const open = stat.mode & 0o777 & ~mode;
  if (open !== 0 && !isLetThrough(name, stat))
    found.push(
      problem(
        `can be used by others (mode ${(stat.mode & 0o777).toString(8)})`,
        `chmod ${mode.toString(8)} ${file}`,
      ),
    );
  return found;
}
