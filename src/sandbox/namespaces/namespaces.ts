import type { Namespaces } from '../../task/plan.js';
import { requireTool, SHELL } from '../process/tools.js';

/** The namespaces for a request that asks for `linux_sandbox` and names none. */
export const DEFAULT_NAMESPACES: Readonly<Namespaces> = {
  mount: true,
  pid: true,
  uts: true,
  ipc: true,
  net: false,
};
export const NO_NAMESPACES: Readonly<Namespaces> = {
  mount: false,
  pid: false,
  uts: false,
  ipc: false,
  net: false,
};
export const NAMESPACE_KINDS = ['mount', 'pid', 'uts', 'ipc', 'net'] as const;

/**
 * Processes that a pid namespace needs besides the program: leader, init, init's child, and the ended keeper of descriptor
 * 3.
 */
export const PID_NAMESPACE_PROCESSES = 4;

/**
 * Starts the program in a pid namespace, as its second process: the first one ignores signals that it does not handle, and
 * orphans need a process that reaps them. unshare(1) forks it, waits for it, and ends by the same signal or exit code. While
 * it waits unshare would keep descriptor 3 open; so a keeper process holds 3 instead, until the forked side has opened it
 * again through /proc and ended the keeper. A socket at 3 cannot be opened again: then the end of file comes only with the
 * end of the program.
 *
 * Before util-linux 2.39 unshare cannot pass on SIGKILL: it exits with 1 and says so. Such a version gets 3 as its stderr,
 * so that the program cannot imitate the message; the price is again that the end of file comes late.
 *
 * Arguments: `told` if unshare is to report SIGKILL, sleep, unshare, sh, {@link TAKE}, then the rest of the chain.
 */
const INIT = [
  'told=$1; shift',
  '( exec 3>&-; while "$1" 2147483647 || [ $? -gt 128 ]; do :; done ) </dev/null >/dev/null 2>&1 &',
  'sleep=$1 unshare=$2 sh=$3 take=$4; shift 4',
  '[ -z "$told" ] || exec 4>&2 2>&3',
  'keeper=',
  '[ ! -p /proc/self/fd/3 ] || { "$sleep" 2147483647 </dev/null >/dev/null 2>&1 4>&- & keeper=/proc/$!; exec 3>&-; }',
  'exec "$unshare" --fork --kill-child -- "$sh" -c "$take" execgo "$told" "$keeper" "$@"',
].join('\n');

/**
 * Arguments: `told` as above; the keeper's directory in the outer /proc, or nothing when 3 is still open. `NSpid` is the
 * keeper's number in this namespace, the last of the line.
 */
const TAKE = [
  '[ -z "$1" ] || exec 2>&4 4>&-',
  'if [ -n "$2" ]; then',
  '  exec 3>"$2/fd/3" || exit 126',
  '  while read -r key value; do [ "$key" != NSpid: ] || kill -KILL "${value##*[!0-9]}"; done <"$2/status"',
  'fi',
  'shift 2',
  'exec "$@"',
].join('\n');

/**
 * The commands, outermost first, that enter the namespaces through unshare(1); needs root.
 * @param proc the directory on which a pid namespace mounts its own /proc
 * @param passesKill whether unshare ends by SIGKILL when the program did
 */
export function unshareWrappers(
  namespaces: Namespaces,
  { proc = '/proc', passesKill = false }: { proc?: string | undefined; passesKill?: boolean } = {},
): string[][] {
  const unshare = requireTool('unshare');
  const outer = NAMESPACE_KINDS.filter((kind) => namespaces[kind]).map((kind) => `--${kind}`);
  const wrappers = outer.length === 0 ? [] : [[unshare, ...outer, '--']];
  if (!namespaces.pid) return wrappers;
  const told = passesKill ? '' : 'told';
  const init = [SHELL, '-c', INIT, 'execgo', told, requireTool('sleep'), unshare, SHELL, TAKE];
  return [...wrappers, init, [unshare, `--mount-proc=${proc}`, '--']];
}

/** @returns the command that enters the namespaces through bubblewrap, which has an init of its own; needs no root. */
export function bubblewrapWrappers(namespaces: Namespaces): string[][] {
  const kinds = NAMESPACE_KINDS.filter((kind) => kind !== 'mount' && namespaces[kind]).map(
    (kind) => `--unshare-${kind}`,
  );
  const proc = namespaces.pid ? ['--proc', '/proc'] : [];
  return [[requireTool('bwrap'), '--dev-bind', '/', '/', ...kinds, ...proc, '--die-with-parent', '--']];
}
