import fs from 'node:fs';
import { readText } from '../../files/read-text.js';
import { peekOlderLiveTaskIds } from '../../store/database/peek.js';
import { ExecgoError } from '../../task/errors.js';

/**
 * To be called before the database is opened for writing.
 * @throws ExecgoError `conflict`, naming the tasks, while a process of the older runtime still works on one of the rows: it
 *   writes to the same database
 */
export function refuseLiveShims(dataDir: string): void {
  const shims = shimTaskIds();
  if (shims.size === 0) return;
  const alive = peekOlderLiveTaskIds(dataDir).filter((id) => shims.has(id));
  if (alive.length > 0)
    throw new ExecgoError(
      'conflict',
      `processes of the older runtime still work on tasks of ${dataDir}: ${alive.join(', ')}; ` +
        'wait until they have ended, or end them, and start again',
    );
}

/**
 * Task ids from the command lines `internal-shim … --task-id <id>` of this user's processes. Those of others do not count:
 * anybody can choose such words.
 */
function shimTaskIds(): Set<string> {
  const ids = new Set<string>();
  for (const args of commandLines()) {
    const taskId = args[args.indexOf('--task-id') + 1];
    if (args.includes('internal-shim') && args.includes('--task-id') && taskId !== undefined) ids.add(taskId);
  }
  return ids;
}

function commandLines(): string[][] {
  try {
    return fs
      .readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter(isOwn)
      .map(commandLine);
  } catch {
    return [];
  }
}

/**
 * True when this user started the process, whichever user it runs as now. The owner of a directory in /proc does not tell:
 * it may be root although the process does not run as root.
 */
function isOwn(pid: string): boolean {
  const uid = /^Uid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1];
  return uid !== undefined && Number(uid) === process.getuid?.();
}

/** Empty for a process that has gone meanwhile. */
function commandLine(pid: string): string[] {
  return readText(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
}
