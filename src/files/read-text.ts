import { readFileSync } from 'node:fs';

/**
 * The text of a file that no task has made, such as one of /proc; undefined when there is none, it has just gone, or it may not
 * be read.
 * @param path absolute; links are followed
 */
export function readText(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
