import { existsSync, rmSync } from 'node:fs';

/** Steps at which a test can make the supervisor die. A crash at any of them must lose nothing. */
export type CrashPoint =
  | 'before_began'
  | 'after_began'
  | 'after_spawn'
  | 'before_outcome_journal'
  | 'after_outcome_journal'
  | 'after_outcome_told'
  | 'before_ack_journal';

/**
 * Kills this process with SIGKILL when `EXECGO_SUPERVISOR_CRASH_AT` names this step. The daemon only passes the variable on
 * to the supervisors that it starts; tasks never inherit it.
 */
export function crashPoint(point: CrashPoint): void {
  dieAt(point, 'EXECGO_SUPERVISOR_CRASH_AT');
}

/** Values of the variables. They are read once: several points are passed for each task, and a look into the environment is slow. */
const places = new Map<string, string>();

/**
 * Kills this process with SIGKILL when the variable is `<point>`, or `<point>@<file>` and the file exists. The file is
 * removed first, so that only one of several processes dies.
 */
export function dieAt(point: string, variable: string): void {
  const where = places.get(variable) ?? process.env[variable] ?? '';
  places.set(variable, where);
  if (where === '') return;
  const [name, file] = where.split('@', 2);
  if (name !== point) return;
  if (file !== undefined) {
    if (!existsSync(file)) return;
    rmSync(file);
  }
  process.kill(process.pid, 'SIGKILL');
}
