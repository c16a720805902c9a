import fs from 'node:fs';
import path from 'node:path';
import { readText } from '../../files/read-text.js';

/** A directory or link in the path that another user can change. */
export interface Weakness {
  path: string;
  problem: string;
  advice: string;
}

/** As many links as Linux follows in one path. */
const LINKS_MAX = 40;
/** The sticky bit: in such a directory only their owner and root can remove or rename entries. */
const STICKY = 0o1000;
const WRITE_OF_GROUP = 0o020;
const WRITE_OF_OTHERS = 0o002;

/**
 * Checks every directory and link in the path of a data directory, except the data directory itself. When each belongs to
 * root or this user and no other user may replace the next one, no other user decides where the path leads.
 * @param dataDir absolute and normalized; parts that do not exist are skipped
 * @param uid this user
 * @returns the first part that another user can change, or undefined
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

/** Why other users can change the entries of this directory; undefined when they cannot. */
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

/** True for the number that stands for all users outside of this user namespace, against whom nothing can be guarded. */
function isUnmapped(uid: number): boolean {
  const [first = '', ...more] = (readText('/proc/self/uid_map') ?? '').trim().split('\n');
  const isWhole = more.length === 0 && /^\s*0\s+0\s+4294967295$/.test(first);
  return first !== '' && !isWhole && uid === Number(readText('/proc/sys/kernel/overflowuid') ?? '');
}

/**
 * Whether a group has no member but root and this user, as far as passwd(5) and group(5) tell. On systems with a group for
 * each user, home directories are often writable for that group. A group that is not in those files counts as private when
 * its number is the user's own, as it is there.
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
  return (readText(file) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}
