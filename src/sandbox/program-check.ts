/**
 * Scripts with which a shell checks a program that another tool will execute: env(1), or chroot(1) into a root without a
 * shell. That tool cannot report a failure, because the program could print and exit with the same. So the shell checks
 * before, and reports only a program that is certainly missing, or certainly no executable file.
 */

/**
 * Arguments: the new root, or empty; the program.
 * @param prefix of the script's own variables, which no variable of the task has
 */
export function keepProgram(prefix: string): string {
  return `${prefix}root=$1 ${prefix}program=$2; shift 2`;
}

/**
 * Functions with a root and a path. `linked` is true when a link or `..` may lead elsewhere than it would in the new root;
 * `look` returns 127 for a missing program, 126 for one that is no executable file, and 0 otherwise, also when it cannot
 * tell. Without another root the interpreter that a `#!` names is checked as well; in another root that would mean that root
 * opens a file which a task may have put there.
 */
const LOOK = (prefix: string) => `
linked() {
  case $1/$2/ in */../*) return 0 ;; esac
  set -- "$1" "$1/$2"
  while [ "$2" != "$1" ]; do [ ! -L "$2" ] || return 0; set -- "$1" "\${2%/*}"; done
  return 1
}
look() {
  [ -z "$1" ] || ! linked "$1" "$2" || return 0
  set -- "$1" "$1\${1:+/}$2"
  [ -e "$2" ] || return 127
  [ -f "$2" ] && [ -x "$2" ] || return 126
  [ -z "$1" ] || return 0
  ${prefix}a= ${prefix}b=
  read -r ${prefix}a ${prefix}b ${prefix}c 2>&- <"$2"
  case $${prefix}a in
    '#!') set -- "$${prefix}b" ;;
    '#!'*) set -- "\${${prefix}a#??}" ;;
    *) return 0 ;;
  esac
  [ -e "$1" ] || return 127
}
search() {
  set -- "$1" "$2" "$3:" 127
  while [ -n "$3" ]; do
    case $3 in :*) set -- "$1" "$2" ".$3" "$4" ;; esac
    look "$1" "\${3%%:*}/$2"
    case $? in
      0) return 0 ;;
      126) set -- "$1" "$2" "\${3#*:}" 126 ;;
      *) set -- "$1" "$2" "\${3#*:}" "$4" ;;
    esac
  done
  return "$4"
}`;

/** Checks the program that {@link keepProgram} has stored, with the directory and the PATH that it will have. */
export function checkProgram(prefix: string): string {
  const [root, program] = [`"$${prefix}root"`, `"$${prefix}program"`];
  return [
    LOOK(prefix),
    `[ -z ${root} ] || [ -d ${root} ] || fail "chroot: cannot change root directory to $${prefix}root"`,
    `case $${prefix}program in`,
    `  '') look '' '' ;;`,
    `  */*) look ${root} ${program} ;;`,
    `  *) search ${root} ${program} "\${PATH-/bin:/usr/bin}" ;;`,
    'esac || {',
    '  case $? in 127) set -- 127 "not found" ;; *) set -- 126 "not an executable file" ;; esac',
    `  printf '%s\\n' "execgo: exec: $${prefix}program: $2" >&2`,
    '  printf "ok\\nexec $1\\n" >&3; exit 126',
    '}',
    `unset ${['root', 'program', 'a', 'b', 'c'].map((name) => prefix + name).join(' ')}`,
  ].join('\n');
}
