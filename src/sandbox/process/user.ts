import { readText } from '../../files/read-text.js';

/** A user that tasks run as. */
export interface TaskUser {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

const PASSWD = '/etc/passwd';

/**
 * Finds a user by name or number in `passwd` (passwd(5) text). A number without an entry is a user too: its group has the
 * same number and its home is `/`.
 * @returns undefined for an unknown name, and for anything that is neither a name nor a whole number
 */
export function findUser(user: string, passwd = readText(PASSWD) ?? ''): TaskUser | undefined {
  const entries = passwd
    .split('\n')
    .map(parseEntry)
    .filter((entry) => entry !== undefined);
  const byName = entries.find((entry) => entry.name === user);
  if (byName !== undefined || !isId(user)) return byName;
  const uid = Number(user);
  return entries.find((entry) => entry.uid === uid) ?? { name: user, uid, gid: uid, home: '/' };
}

function parseEntry(line: string): TaskUser | undefined {
  const [name, , uid, gid, , home] = line.split(':');
  if (!name || !isId(uid) || !isId(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home: home === undefined || home === '' ? '/' : home };
}

/** The highest number means "unchanged" to the system calls. */
function isId(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff;
}

/** Arguments of setpriv that become `user` for good: no set-user-id program gives rights back. */
export function setprivArguments(user: TaskUser): string[] {
  return ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups', '--no-new-privs'];
}

/**
 * Arguments of chroot(1) that become `user`. The `+` before numbers keeps it from looking them up in the new root's
 * passwd(5).
 */
export function chrootArguments(user: TaskUser): string[] {
  return [`--userspec=+${user.uid}:+${user.gid}`, '--groups='];
}

/** `HOME` and `USER` of the task user, unless the request sets them itself. */
export function userEnvironment(
  environment: Readonly<Record<string, string>>,
  requested: Readonly<Record<string, string>>,
  user: TaskUser,
): Record<string, string> {
  const own = { HOME: user.home, USER: user.name };
  const unnamed = Object.entries(own).filter(([name]) => !Object.hasOwn(requested, name));
  return { ...environment, ...Object.fromEntries(unnamed) };
}
