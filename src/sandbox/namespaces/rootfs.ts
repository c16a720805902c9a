import { lstatSync, readlinkSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { whyNotRootsOwn } from '../process/root-owned.js';

/** As many links as Linux follows in one path. */
const LINKS_MAX = 40;

/**
 * @param allowed the directories given with `--allow-rootfs`, absolute
 * @returns why a request may not have this root file system, judged by its path alone; undefined when it is one of the
 *   allowed directories, or lies below one
 */
export function whyNotAllowed(rootfs: string, allowed: readonly string[]): string | undefined {
  if (!isAbsolute(rootfs)) return 'it must be an absolute path that --allow-rootfs allows';
  const path = resolve(rootfs);
  if (allowed.some((dir) => path === dir || path.startsWith(dir === '/' ? dir : `${dir}/`))) return undefined;
  return allowed.length === 0
    ? 'none is allowed on this daemon: whoever runs it names them with --allow-rootfs'
    : 'it is none of those that whoever runs this daemon has allowed with --allow-rootfs';
}

/**
 * Checks a root file system. To be called right before it is used; the result stays true, because only root can change it.
 * @returns the directory, normalized
 * @throws Error for people when it is not allowed, does not exist, or users other than root can change it or a directory
 *   above
 */
export function checkedRootfs(rootfs: string, allowed: readonly string[]): string {
  const refused = whyNotAllowed(rootfs, allowed);
  if (refused !== undefined) throw new Error(`rootfs ${rootfs} is not allowed: ${refused}`);
  const path = resolve(rootfs);
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new Error(`rootfs ${rootfs} is not a directory`);
  const changeable = whyNotRootsOwn(path);
  if (changeable !== undefined)
    throw new Error(
      `rootfs ${rootfs} cannot be trusted: ${changeable}; it and all directories above must belong to root, and be writable for root only`,
    );
  return path;
}

/** True when `path` is a file that can be executed once `root` is `/`: links are resolved as in the new root. */
export function hasExecutable(root: string, path: string): boolean {
  const rest = path.split('/').filter((part) => part !== '');
  let at: string[] = [];
  for (let links = 0; rest.length > 0;) {
    const part = rest.shift() ?? '';
    if (part === '..') at.pop();
    if (part === '.' || part === '..' || part === '') continue;
    const here = join(root, ...at, part);
    const stat = lstatSync(here, { throwIfNoEntry: false });
    if (stat === undefined) return false;
    if (stat.isSymbolicLink()) {
      if (++links > LINKS_MAX) return false;
      const target = readlinkSync(here);
      if (target.startsWith('/')) at = [];
      rest.unshift(...target.split('/'));
    } else if (rest.length > 0) {
      if (!stat.isDirectory()) return false;
      at.push(part);
    } else return stat.isFile() && (stat.mode & 0o111) !== 0;
  }
  return false;
}
