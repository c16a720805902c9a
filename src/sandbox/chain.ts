import { directories, procsFile } from './cgroup.js';
import type { CgroupSpec, ChainSpec } from './launch.js';
import { findTool, SHELL } from './tools.js';

/**
 * The launch chain: a row of exec's that ends in the program, so that it keeps the pid that was spawned. Texts are fixed
 * and everything else is positional. Descriptor 3 is the write end of a pipe on which the chain reports; see
 * `readReport` for what stands on it.
 *
 * Each stage closes 3 by the `exec` that succeeds: a shell keeps a redirected descriptor at 10 or above, close-on-exec.
 * A failed exec ends dash at once but with the descriptor back in place for the EXIT trap; bash needs `execfail` for that.
 */

const FAIL = 'fail() { echo "sandbox $1" >&3; exit 126; }';

/** Arguments: cgroup.procs files, then `--`. Writing 0 moves the writer. */
const JOIN = 'while [ "$1" != -- ]; do echo 0 >"$1" || fail "cannot write to $1"; shift; done; shift';

/**
 * Arguments: soft CPU seconds, hard CPU seconds, KiB of address space, processes; each may be empty. For processes bash says
 * -u, dash -p. Not even root may everywhere raise a hard limit; one that is lower than what is asked for serves.
 */
const LIMIT = [
  '[ -z "$1" ] || { ulimit -S -t "$1" && ulimit -H -t "$2"; } 2>/dev/null || [ "$(ulimit -H -t)" -le "$2" ] ||',
  'fail "cannot set the CPU time limit"',
  '[ -z "$3" ] || ulimit -v "$3" 2>/dev/null || [ "$(ulimit -H -v)" -le "$3" ] ||',
  'fail "cannot set the address space limit"',
  '[ -z "$4" ] || ulimit -u "$4" 2>/dev/null || ulimit -p "$4" 2>/dev/null ||',
  '[ "$(ulimit -H -u 2>/dev/null || ulimit -H -p)" -le "$4" ] || fail "cannot set the process limit"',
  'shift 4',
].join('\n');

/** Arguments: the directory that becomes `/`, or empty; then the program. */
const RUN = [
  '[ -z "$1" ] || { [ -d "$1" ] && echo chroot >&3; } || fail "rootfs $1 is not a directory"',
  'shift',
  '[ -z "${BASH_VERSION-}" ] || shopt -s execfail 2>/dev/null',
  `trap 'echo "exec $?" >&3' EXIT`,
  'echo ok >&3',
  '{ exec "$@"; } 3>&-',
  'exit',
].join('\n');

const ENTER = [FAIL, JOIN, 'exec "$@"'].join('\n');
const FINISH = [FAIL, LIMIT, RUN].join('\n');
const ENTER_AND_FINISH = [FAIL, JOIN, LIMIT, RUN].join('\n');

/**
 * The full argument vector that joins the cgroups, sets limits, goes through the wrappers and runs `argv`. Must be
 * spawned with descriptor 3 as the write end of a pipe, in the directory and environment of the task.
 * @throws Error for people when chroot(1) is asked for and not installed
 */
export function chainArgv(chain: ChainSpec, cgroup: CgroupSpec | undefined, argv: string[]): string[] {
  const procs = cgroup === undefined ? [] : directories(cgroup).map(({ path }) => procsFile(path));
  const finish = [...limitArguments(chain), chain.chroot ?? '', ...chrootArguments(chain), ...argv];
  if (chain.wrappers.length === 0)
    return [SHELL, '-c', ENTER_AND_FINISH, 'execgo', ...procs, '--', ...finish];
  const enter = procs.length === 0 ? [] : [SHELL, '-c', ENTER, 'execgo', ...procs, '--'];
  return [...enter, ...chain.wrappers.flat(), SHELL, '-c', FINISH, 'execgo', ...finish];
}

function limitArguments(chain: ChainSpec): string[] {
  const { cpu_sec: cpu, address_space_bytes: space, processes } = chain;
  return [
    cpu === undefined ? '' : String(cpu),
    cpu === undefined ? '' : String(cpu + 1),
    space === undefined ? '' : String(Math.max(1, Math.floor(space / 1024))),
    processes === undefined ? '' : String(processes),
  ];
}

function chrootArguments(chain: ChainSpec): string[] {
  if (chain.chroot === undefined) return [];
  const tool = findTool('chroot');
  if (tool === undefined) throw new Error('cannot change the root directory: chroot is not installed');
  const user = chain.chroot_user === undefined ? [] : [`--userspec=${chain.chroot_user}`, '--groups='];
  return [tool, ...user, '--', chain.chroot];
}
