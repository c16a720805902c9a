import fs from 'node:fs';
import { canNameDirectory } from '../../task/ids.js';
import path from 'node:path';
import { inspectTaskDir } from '../../runtime/upkeep/inspect-task-dir.js';
import { TASKS, TRASH } from '../../task/task-paths.js';
import { Tally } from '../../runtime/upkeep/tally.js';
import { withDirectory } from '../../files/directory.js';
import type { Store } from '../../store/store.js';
import { note, ok, problem, type Finding } from './finding.js';
import { isTerminal } from '../../task/states.js';

/** Rows read at a time. */
const PAGE = 1000;
/** How many names to list of each kind of problem. */
const NAMED = 5;

/**
 * Compares files and rows. A daemon may be changing both meanwhile, so what looks wrong is checked again at the end, and
 * only what is wrong both times is reported.
 */
export function fileFindings(dataDir: string, store: Store): Finding[] {
  const orphans = namesIn(path.join(dataDir, TASKS)).filter((name) => !store.tasks.has(name));
  const suspects: string[] = [];
  let after = '';
  let count = 0;
  for (let ids = store.tasks.ids(after, PAGE); ids.length > 0; ids = store.tasks.ids(after, PAGE)) {
    suspects.push(...ids.filter((id) => whatIsWrong(dataDir, store, id) !== undefined));
    after = ids.at(-1) ?? after;
    count += ids.length;
  }
  const wrong = new Map<string, Tally>();
  const add = (kind: string, name: string) => {
    const tally = wrong.get(kind) ?? new Tally(NAMED);
    wrong.set(kind, tally);
    tally.add(name);
  };
  for (const name of orphans)
    if (
      !store.tasks.has(name) &&
      fs.lstatSync(path.join(dataDir, TASKS, name), { throwIfNoEntry: false }) !== undefined
    )
      add('directories without a task', name);
  for (const id of suspects) {
    const kind = whatIsWrong(dataDir, store, id);
    if (kind !== undefined) add(kind, id);
  }
  const trash = namesIn(path.join(dataDir, TRASH));
  const findings = [...wrong].map(([kind, { count: found, first }]) =>
    problem(
      'files',
      `${found} ${kind}: ${first.join(', ')}${found > NAMED ? ', …' : ''}`,
      kind === LOST
        ? 'their output is lost; their status is not, until execgo gc removes them'
        : 'restart the daemon: it puts that right in the background and says so in its log',
    ),
  );
  if (trash.length > 0)
    findings.push(
      note(
        'files',
        `${trash.length} entries in ${path.join(dataDir, TRASH)} are being deleted, or cannot be`,
        'if they stay, look for immutable files (lsattr -R) and mounts (findmnt) there; the log of the daemon names them',
      ),
    );
  if (wrong.size === 0) findings.push(ok('files', `the files of ${count} tasks fit to their rows`));
  return findings;
}

const LOST = 'ended tasks without a directory';

function whatIsWrong(dataDir: string, store: Store, id: string): string | undefined {
  if (!canNameDirectory(id)) return undefined;
  const state = withDirectory(dataDir, [TASKS], (tasks) => inspectTaskDir(tasks, id));
  if (state.dir === 'there' && state.result === 'whole' && state.temporary.length === 0) return undefined;
  const status = store.tasks.status(id);
  if (status === undefined) return undefined;
  // A waiting task gets missing files back when it is dispatched, and `result.json` is written at a task's end.
  if (!isTerminal(status))
    return status === 'running' && state.dir !== 'there' ? 'running tasks without a directory' : undefined;
  if (state.dir !== 'there') return LOST;
  if (state.temporary.length > 0) return 'ended tasks with half-written files';
  return state.result === 'missing'
    ? 'ended tasks without result.json'
    : 'ended tasks with a damaged result.json';
}

function namesIn(dir: string): string[] {
  return fs.existsSync(dir) ? fs.readdirSync(dir) : [];
}
