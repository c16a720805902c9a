import type { Namespaces } from '../../task/plan.js';
import { requireTool, SHELL } from '../process/tools.js';

/** What a request that asks for `linux_sandbox` and names no namespaces gets. */
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

/** Processes that a pid namespace needs besides the program: leader, init, init's child, and the ended keeper of descriptor 3. */
export const PID_NAMESPACE_PROCESSES = 4;

/**
 * In a pid namespace the program is the second process, because the first ignores signals that it does not handle, and
 * because orphans need somebody to reap them. unshare(1) forks it, waits, and ends by the same signal or exit code;
 * waiting, it would keep descriptor 3 open. So a keeper process holds 3 meanwhile, until the forked side has opened it
 * again through /proc and ended the keeper. A socket at 3 cannot be opened again: then the end of file comes with the end
 * of the program.
 *
 * unshare before util-linux 2.39 cannot pass on SIGKILL: it exits with 1 and says so. So that the program cannot say it in its
 * place, such a one has 3 as its own stderr, at the price of the early end of file.
 *
 * Arguments: `told` where unshare is to say it, sleep, unshare, sh, {@link TAKE}, then what follows.
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
 * Arguments: `told` as above; the keeper's directory in the outer /proc, or nothing where 3 is still there. `NSpid` is the keeper's
 * number here, the last of the line.
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
 * @param proc where a pid namespace gets its own /proc
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

/** @returns the command that enters the namespaces through bubblewrap, which brings an init of its own; needs no root. */
export function bubblewrapWrappers(namespaces: Namespaces): string[][] {
  const kinds = NAMESPACE_KINDS.filter((kind) => kind !== 'mount' && namespaces[kind]).map(
    (kind) => `--unshare-${kind}`,
  );
  const proc = namespaces.pid ? ['--proc', '/proc'] : [];
  return [[requireTool('bwrap'), '--dev-bind', '/', '/', ...kinds, ...proc, '--die-with-parent', '--']];
}
