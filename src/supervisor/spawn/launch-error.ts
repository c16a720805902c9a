const REASONS: Readonly<Record<string, string>> = {
  E2BIG:
    'argument list too long: one argument or variable takes 128 KiB at most, and so does a script in a chroot',
  EACCES: 'permission denied',
  EAGAIN: 'resource temporarily unavailable (process limit reached)',
  EINVAL: 'invalid executable',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'file name too long',
  ENFILE: 'too many open files in the system',
  ENOENT: 'no such file or directory',
  ENOEXEC: 'not executable on this machine',
  ENOMEM: 'out of memory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  EPERM: 'operation not permitted',
  ETXTBSY: 'the file is being written',
};

/** @returns the meaning of an errno name in words for people; the name itself when it is not in the list. */
export function describeErrno(name: string): string {
  return REASONS[name] ?? name;
}

/** @returns the message for an attempt whose program could not be launched. */
export function cannotLaunch(program: string, reason: string): string {
  return `cannot launch ${JSON.stringify(program)}: ${reason}`;
}

/**
 * @param path the PATH of the task
 * @returns the reason for a program without a slash in its name that is in no directory of PATH
 */
export function notInPath(path: string | undefined): string {
  return path === undefined
    ? 'not found, and the task has no PATH'
    : `not found in the task's PATH (${path})`;
}

const DIRECTORY_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is not a directory',
  EACCES: 'may not be entered: permission denied',
};

/** @returns why a program cannot start in `cwd`, by the name of the error from entering it. */
export function cannotStartIn(cwd: string, name: string): string {
  const why = DIRECTORY_REASONS[name] ?? `cannot be entered: ${describeErrno(name)}`;
  return `working directory ${cwd} ${why}; it must exist where the task runs, and be open to its user`;
}
