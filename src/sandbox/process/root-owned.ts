import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';

const WRITABLE_BY_OTHERS = 0o022;
/** The sticky bit: in such a directory only their owner and root can remove or rename entries. */
const STICKY = 0o1000;

/**
 * Checks `path` and every directory above it, without following links. When all belong to root and no other user may write
 * to them, only root can make the path lead elsewhere later: what was checked is what will be used.
 * @param path absolute and normalized
 * @returns why other users can change what it means, or undefined when only root can
 */
export function whyNotRootsOwn(path: string): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    const problem = problemOf(at, at === path);
    if (problem !== undefined) return problem;
    if (at === '/') return undefined;
  }
}

function problemOf(path: string, isLast: boolean): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return `${path} does not exist`;
  if (stat.isSymbolicLink()) return `${path} is a symbolic link`;
  if (!isLast && !stat.isDirectory()) return `${path} is not a directory`;
  if (stat.uid !== 0) return `${path} does not belong to root`;
  const replaceable = isLast || (stat.mode & STICKY) === 0;
  return replaceable && (stat.mode & WRITABLE_BY_OTHERS) !== 0
    ? `${path} can be written to by others`
    : undefined;
}
