import fs from 'node:fs';
import path from 'node:path';

/** The variable with which an operator names the only directory to use. */
export const PLACE_VARIABLE = 'EXECGO_NATIVE_DIR';

/** Variables that the choice depends on: supervisors and threads get them, so that all use the same directory. */
export const PLACE_VARIABLES = [PLACE_VARIABLE, 'XDG_CACHE_HOME', 'XDG_RUNTIME_DIR', 'TMPDIR'] as const;

/** The process and its environment. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  /** Effective user number of this process. */
  uid: number;
  /** Home directory; without `HOME`, that of the user database. */
  home: string;
  /** The system's directory for temporary files. */
  tmp: string;
}

/**
 * Directories in which the native modules may be unpacked, the best first: only the one that the operator named, or else
 * caches that stay, then directories that everybody may write to, in which ours has the user's number in its name.
 * @returns absolute paths, none of them made or looked into
 */
export function nativePlaces({ env, uid, home, tmp }: Surroundings): string[] {
  const named = env[PLACE_VARIABLE];
  if (named) return [path.resolve(named)];
  // Under sudo the home directory may be that of another user, who could put a link there.
  const caches = [env['XDG_CACHE_HOME'], isTrusted(home, uid) ? path.join(home, '.cache') : '', '/var/cache'];
  const own = [...caches, env['XDG_RUNTIME_DIR']].filter((dir) => dir && path.isAbsolute(dir));
  const shared = ['/var/tmp', path.resolve(tmp), '/dev/shm'];
  return [
    ...new Set([
      ...own.map((dir) => path.join(dir ?? '', 'execgo')),
      ...shared.map((dir) => path.join(dir, `execgo-${uid}`)),
    ]),
  ];
}

/** True for a file of this user or of root. */
function isTrusted(file: string, uid: number): boolean {
  try {
    const owner = fs.lstatSync(file).uid;
    return owner === uid || owner === 0;
  } catch {
    return false;
  }
}
