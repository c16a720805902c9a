import type { TaskUser } from './user.js';

/**
 * Variables by which whoever sets them runs code in, or misleads, the tools of the chain: those that the dynamic loader
 * and the C library ignore in set-user-id programs, and the shell's own.
 */
const UNSAFE =
  /^(LD_|MALLOC_|LIBMOUNT_|BASH_FUNC_|(GCONV_PATH|GETCONF_DIR|GLIBC_TUNABLES|HOSTALIASES|LOCALDOMAIN|LOCPATH|NIS_PATH|NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TZDIR|BASH_ENV|BASH_VERSION|ENV|SHELLOPTS|BASHOPTS|PS4)$)/;

/** A task's environment in two parts. */
export interface SplitEnvironment {
  /** What the chain is spawned with. */
  early: Record<string, string>;
  /** `NAME=value`, to be set once the privileges are gone. */
  late: string[];
}

/** Keeps what a request names from acting on those parts of the chain that run with the daemon's privileges. */
export function splitEnvironment(environment: Record<string, string>): SplitEnvironment {
  const entries = Object.entries(environment);
  return {
    early: Object.fromEntries(entries.filter(([name]) => !UNSAFE.test(name))),
    late: entries.filter(([name]) => UNSAFE.test(name)).map(([name, value]) => `${name}=${value}`),
  };
}

/** `HOME` and `USER` of the task user, except where the request names them itself. */
export function userEnvironment(
  environment: Record<string, string>,
  requested: Record<string, string>,
  user: TaskUser,
): Record<string, string> {
  const own = { HOME: user.home, USER: user.name };
  const unnamed = Object.entries(own).filter(([name]) => !Object.hasOwn(requested, name));
  return { ...environment, ...Object.fromEntries(unnamed) };
}
