import fs from 'node:fs';
import path from 'node:path';

/** Where the way can be changed by others. */
export interface Weakness {
  path: string;
  problem: string;
  advice: string;
}

/** As many links as Linux follows in one path. */
const LINKS_MAX = 40;
/** In a directory with it, names can be taken away or replaced by their owner and root only. */
const STICKY = 0o1000;
const WRITE_OF_GROUP = 0o020;
const WRITE_OF_OTHERS = 0o002;

/**
 * Looks at every directory and link on the way to a data directory, itself left out. Where each belongs to root or this
 * user, and nobody else may put another name in the place of the next, nobody else decides where the way leads.
 * @param dataDir absolute and normalized; what is not there is left out
 * @param uid this user
 * @returns the first place where others decide, or undefined
 * @throws a system error
 */
export function weakPlaceAbove(dataDir: string, uid: number): Weakness | undefined {
  const rest = namesOf(dataDir);
  let at = '/';
  for (let links = 0; links <= LINKS_MAX;) {
    const name = rest.shift();
    if (name === undefined) return undefined;
    if (name === '..') {
      at = path.dirname(at);
      continue;
    }
    const problem = problemOf(fs.lstatSync(at), uid);
    if (problem !== undefined) return { path: at, problem, advice: adviceFor(uid) };
    const next = path.join(at, name);
    const stat = fs.lstatSync(next, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isSymbolicLink()) {
      if (isForeign(stat.uid, uid))
        return {
          path: next,
          problem: `is a link of user ${stat.uid}`,
          advice: 'give the path that it leads to, or another --data-dir',
        };
      links++;
      const target = fs.readlinkSync(next);
      if (path.isAbsolute(target)) at = '/';
      rest.unshift(...namesOf(target));
    } else if (stat.isDirectory()) at = next;
    else return undefined;
  }
  return undefined;
}

function namesOf(target: string): string[] {
  return target.split('/').filter((name) => name !== '' && name !== '.');
}

function adviceFor(uid: number): string {
  return `whoever may do that could put other files in the place of the daemon's: choose a --data-dir that only root and user ${uid} can change the way to`;
}

/** Why others may decide what a name in this directory is. */
function problemOf({ uid: owner, gid, mode }: fs.Stats, uid: number): string | undefined {
  if (isForeign(owner, uid)) return `is on the way to it and belongs to user ${owner}`;
  if ((mode & STICKY) !== 0) return undefined;
  if ((mode & WRITE_OF_OTHERS) !== 0) return 'is on the way to it, and everybody may write to it';
  if ((mode & WRITE_OF_GROUP) === 0 || isPrivate(gid, uid)) return undefined;
  return `is on the way to it, and group ${gid} may write to it`;
}

function isForeign(owner: number, uid: number): boolean {
  return owner !== uid && owner !== 0 && !isUnmapped(owner);
}

/** True for the number that stands for everybody outside of this user namespace: they are not who could be guarded against. */
function isUnmapped(uid: number): boolean {
  const [first = '', ...more] = read('/proc/self/uid_map').trim().split('\n');
  const isWhole = more.length === 0 && /^\s*0\s+0\s+4294967295$/.test(first);
  return first !== '' && !isWhole && uid === Number(read('/proc/sys/kernel/overflowuid'));
}

/**
 * Whether nobody but root and this user is in a group, as far as the files of this machine tell: with such a group for each
 * user, home directories are often writable for it. A group that they do not know counts as such where its number is the
 * user's own, as such groups have it.
 */
function isPrivate(gid: number, uid: number): boolean {
  const users = entries('/etc/passwd').map(([name = '', , id, primary]) => ({ name, id, primary }));
  const groups = entries('/etc/group').filter(([, , id]) => Number(id) === gid);
  if (groups.length === 0 && gid !== uid) return false;
  const members = groups.flatMap(([, , , names = '']) => names.split(',').filter((name) => name !== ''));
  const isOurs = (id: string | undefined) => Number(id) === uid || Number(id) === 0;
  const ours = new Set(users.filter(({ id }) => isOurs(id)).map(({ name }) => name));
  return (
    members.every((name) => ours.has(name)) &&
    users.every(({ id, primary }) => Number(primary) !== gid || isOurs(id))
  );
}

/** The fields of each line of passwd(5) or group(5). */
function entries(file: string): string[][] {
  return read(file)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
