import { shellQuote } from '../../files/shell-quote.js';

/**
 * The scripts of the shells in the launch chain. They are fixed except for the prefix of carriers, which consists of
 * capitals and `_`; everything else is passed as arguments. Descriptor 3 is the write end of a pipe on which the chain
 * reports; `readReport` documents the reports.
 *
 * Each stage closes 3 by the `exec` that succeeds: shells keep a redirected descriptor at 10 or above, close-on-exec. After
 * a failed exec dash ends at once, but restores the descriptor for the EXIT trap; bash needs `execfail` for that.
 */

export const FAIL = 'fail() { echo "sandbox $1" >&3; exit 126; }';

/** Arguments: cgroup.procs files, then `--`. Writing 0 moves the writer. */
export const JOIN = 'while [ "$1" != -- ]; do echo 0 >"$1" || fail "cannot write to $1"; shift; done; shift';

/**
 * Arguments: for each limit the letter of ulimit, the letter of other shells, soft and hard limit, and its name; then `--`.
 * Where soft and hard limit are the same, they are set in one call, so that a process with the right to do so can raise the hard
 * one. In some containers not even root has that right: then a hard limit that is lower than what is asked for stays, and becomes
 * the soft limit too.
 */
export const LIMIT = [
  'limit() {',
  '  if [ "$2" = "$3" ]; then ulimit -"$1" "$2"; else ulimit -S -"$1" "$2" && ulimit -H -"$1" "$3"; fi',
  '} 2>/dev/null',
  'hard() { ulimit -H -"$1" || ulimit -H -"$2"; } 2>/dev/null',
  'soft() { ulimit -S -"$1" "$3" || ulimit -S -"$2" "$3"; } 2>/dev/null',
  'low() { [ "$(hard "$1" "$2")" -le "$3" ] 2>/dev/null && soft "$1" "$2" "$(hard "$1" "$2")"; }',
  'while [ "$1" != -- ]; do',
  '  limit "$1" "$3" "$4" || limit "$2" "$3" "$4" || low "$1" "$2" "$4" || fail "cannot set the $5"',
  '  shift 5',
  'done',
  'shift',
].join('\n');

/**
 * Arguments: the directory in which the program starts; and mkdir(1), to make it when it is missing, or nothing. Of a failure
 * only the name of the error is reported, which is found by looking at the path, because not every shell tells it. Where no other
 * file can be named (a root file system need not have a /dev/null), a stream is closed to silence it.
 */
export const ENTER_DIRECTORY = [
  'why() {',
  '  [ ! -d "$1" ] || { echo EACCES; return; }',
  '  [ ! -e "$1" ] || { echo ENOTDIR; return; }',
  '  up=$1',
  '  while up=${up%/*} && [ -n "$up" ]; do',
  '    if [ -d "$up" ]; then [ -x "$up" ] && echo ENOENT || echo EACCES; return; fi',
  '    [ ! -e "$up" ] || { echo ENOTDIR; return; }',
  '  done',
  '  echo ENOENT',
  '}',
  'cd -P -- "$1" 2>&- || {',
  '  [ -z "$2" ] || ( exec 3>&-; umask 077; "$2" -p -- "$1" 2>/dev/null )',
  '  cd -P -- "$1" 2>&- || { echo "cwd $(why "$1")" >&3; exit 126; }',
  '}',
  'shift 2',
].join('\n');

/** Removes the variables that a shell adds by itself: the program gets the task's variables and nothing else. */
const FORGET = 'unset PWD OLDPWD SHLVL';

/**
 * Sets the variables that the carriers hold; see `carriers.ts`. Each may come in two pieces.
 * @param fixed true when the shell was started with a fixed environment and not with the task's
 * @param env env(1), which sets the variables that a shell cannot
 */
export function unpack(prefix: string, exported: number, odd: number, fixed: boolean, env: string): string {
  if (prefix === '') return FORGET;
  const n = `${prefix}n`;
  const carrier = `${prefix}\${${n}}`;
  const value = `\\"\\$${carrier}\\$${carrier}_\\"`;
  const downTo = (last: number, action: string) => [
    `while [ "$${n}" -gt ${last} ]; do`,
    `  ${n}=$(($${n} - 1))`,
    `  eval "${action}; unset ${carrier} ${carrier}_"`,
    'done',
  ];
  const throughEnv = [
    ...downTo(exported, `set -- ${value} \\"\\$@\\"`),
    `[ -x ${shellQuote(env)} ] || fail ${shellQuote(`the root file system has no ${env}`)}`,
    `set -- ${shellQuote(env)} -- "$@"`,
  ];
  return [
    `${n}=${exported + odd}`,
    ...(odd === 0 ? [] : throughEnv),
    FORGET,
    ...(fixed ? ['unset LC_ALL'] : []),
    ...downTo(0, `export ${value}`),
    `unset ${n}`,
  ].join('\n');
}

/** Arguments: the program, or the tool that executes it. */
export const RUN = [
  '[ -z "${BASH_VERSION-}" ] || shopt -s execfail 2>&-',
  `trap 'echo "exec $?" >&3' EXIT`,
  'echo ok >&3',
  '{ exec "$@"; } 3>&-',
  'exit',
].join('\n');

/** Arguments: what comes next in the chain. */
export const NEXT = 'exec "$@"';
