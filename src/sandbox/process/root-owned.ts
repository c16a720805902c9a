import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';

const WRITABLE_BY_OTHERS = 0o022;
/** In a directory with it, names can be taken away or replaced by their owner and root only. */
const STICKY = 0o1000;

/**
 * Looks at `path` and every directory above it, none through a link. Where all belong to root and nobody else may write to
 * them, only root can make the path mean something else later: what was looked at is what will be used.
 * @param path absolute and normalized
 * @returns why others can change what it means, or undefined when only root can
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
