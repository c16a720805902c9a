import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupSpec, Freezer } from '../launch.js';

interface FreezerFiles {
  /** Written to: what stops, and what starts. */
  file: string;
  stop: string;
  start: string;
  /** Says when everything has stopped. */
  state: string;
  stopped: RegExp;
}

const FILES: Readonly<Record<Freezer, FreezerFiles>> = {
  v2: { file: 'cgroup.freeze', stop: '1', start: '0', state: 'cgroup.events', stopped: /^frozen 1$/m },
  v1: {
    file: 'freezer.state',
    stop: 'FROZEN',
    start: 'THAWED',
    state: 'freezer.state',
    stopped: /^FROZEN$/m,
  },
};

/** The freezer that a directory has, by its files. */
export function freezerOf(path: string): Freezer | undefined {
  return (['v2', 'v1'] as const).find((version) => existsSync(join(path, FILES[version].file)));
}

/**
 * Stops all processes of an attempt, and those that are forked or moved into its cgroup later, until {@link thaw}. No signal
 * starts them again; one that is fatal ends them on v2.
 * @returns true once all of them have stopped; undefined where there is no freezer, or it cannot be used
 */
export function freeze({ track, freezer }: CgroupSpec): boolean | undefined {
  if (freezer === undefined) return undefined;
  const { file, stop, state, stopped } = FILES[freezer];
  try {
    writeFileSync(join(track.path, file), stop, { flag: 'r+' });
    return stopped.test(readFileSync(join(track.path, state), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Starts what was stopped in a directory. Throws nothing: where the directory is gone, so is all that was in it. */
export function thaw(path: string, freezer: Freezer): void {
  const { file, start } = FILES[freezer];
  try {
    writeFileSync(join(path, file), start, { flag: 'r+' });
  } catch {
    return;
  }
}
