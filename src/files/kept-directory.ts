import fs from 'node:fs';
import { Directory, withDirectory } from './directory.js';

/** The directory that was entered last, and which one it is. */
let kept: { path: string; directory: Directory; dev: number; ino: number } | undefined;

/**
 * As {@link withDirectory}, for a first directory that is entered again and again: it stays open until another is entered so,
 * and neither it nor its mount is looked up each time. That it still stands at its path is looked at.
 * @throws a system error: ENOENT, or ENOTDIR when anything on the way is not a directory, such as a link to one
 */
export function withKeptDirectory<T>(
  base: string,
  names: readonly string[],
  use: (directory: Directory) => T,
): T {
  const [first, ...others] = names;
  return first === undefined
    ? withDirectory(base, names, use)
    : withDirectory(enter(base, first), others, use);
}

function enter(base: string, name: string): Directory {
  const path = `${base}/${name}`;
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (kept?.path === path && kept.dev === stat?.dev && kept.ino === stat.ino) return kept.directory;
  const directory = Directory.openIn(base, name);
  kept?.directory.close();
  const { dev, ino } = directory.self();
  kept = { path, directory, dev, ino };
  return directory;
}
