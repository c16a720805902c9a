import { execFileSync } from 'node:child_process';
import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { findTool } from '../../src/sandbox/process/tools.js';
import { USER_VARIABLE } from '../harness/executable.js';

/** What tasks of the suites run, what execgo looks for on a host, and what the way in needs. None of it is Node. */
const PROGRAMS = [
  ...[
    'sh',
    'bash',
    'env',
    'true',
    'false',
    'echo',
    'printf',
    'yes',
    'cat',
    'head',
    'tail',
    'tr',
    'wc',
    'seq',
    'sort',
  ],
  ...[
    'sleep',
    'date',
    'id',
    'pwd',
    'ls',
    'stat',
    'touch',
    'mkdir',
    'rmdir',
    'rm',
    'mv',
    'ln',
    'chmod',
    'kill',
    'grep',
  ],
  ...['sed', 'dd', 'mkfifo', 'readlink', 'basename', 'setsid', 'nohup', 'timeout'],
  ...['unshare', 'setpriv', 'prlimit', 'mount', 'umount', 'chroot', 'bwrap'],
];

/**
 * Makes a root file system with the executable, the libraries that ldd names, a shell and common programs: without Node, without
 * this package, without anything else of the host but its /proc, /sys, /dev and temporary files.
 * @param dir where it is made, with nothing of that name there; on the file system of the executable it takes no space
 * @returns a program that root runs as `<program> <arguments of execgo …>`: it becomes execgo in that root, with the pid it
 * was started with, as the user that {@link USER_VARIABLE} names
 */
export function makeRoot(dir: string, executable: string): string {
  const root = join(dir, 'root');
  const tmp = tmpdir();
  for (const path of ['usr/bin', 'etc', 'root', 'proc', 'sys', 'dev', 'var/tmp', '.host', tmp])
    mkdirSync(join(root, path), { recursive: true });
  for (const path of ['bin', 'sbin']) symlinkSync('usr/bin', join(root, path));
  symlinkSync('bin', join(root, 'usr/sbin'));
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  execFileSync('chmod', ['1777', join(root, 'var/tmp')]);
  for (const name of PROGRAMS) {
    const file = findTool(name);
    if (file !== undefined) addProgram(root, file, name);
  }
  const shown = ['/proc', '/sys', '/dev', ...addPython(root)];
  addProgram(root, executable, 'execgo');

  const program = join(dir, basename(executable));
  writeFileSync(program, wayIn(root, shown, tmp), { mode: 0o755 });
  return program;
}

function addProgram(root: string, file: string, name: string): void {
  copyFileSync(file, join(root, 'usr/bin', name), constants.COPYFILE_FICLONE);
  for (const library of librariesOf(file)) {
    const copy = join(root, library);
    if (existsSync(copy)) continue;
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(library, copy);
  }
}

/** An interpreter for scripts. @returns the directories that it needs from the host; none where there is no Python */
function addPython(root: string): string[] {
  const file = findTool('python3', '');
  if (file === undefined) return [];
  const real = realpathSync(file);
  const library = execFileSync(file, ['-c', 'import sysconfig; print(sysconfig.get_path("stdlib"))'], {
    encoding: 'utf8',
  }).trim();
  addProgram(root, real, 'python3');
  mkdirSync(join(root, library), { recursive: true });
  return [library];
}

/** Absolute paths of the shared libraries that a program loads, as ldd tells them; none for a static one. */
function librariesOf(file: string): string[] {
  try {
    const lines = execFileSync('ldd', [file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return [...lines.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path]) => path!);
  } catch {
    return [];
  }
}

/** Every start has its own mounts, which end with the last process that sees them: nothing has to be undone. */
function wayIn(root: string, shown: readonly string[], tmp: string): string {
  return `#!/bin/sh -e
[ "$1" = --inside ] || exec unshare --mount --propagation private "$0" --inside "$@"
shift
here=$PWD
cd '${root}'
mount --rbind . .
cd '${root}'
for dir in ${shown.join(' ')}; do mount --rbind "$dir" ".$dir"; done
mount --bind '${tmp}' '.${tmp}'
pivot_root . .host
umount -l /.host
cd "$here" 2>/dev/null || cd /
user=$${USER_VARIABLE}
unset ${USER_VARIABLE} NODE_EXTRA_CA_CERTS
[ -z "$user" ] || exec setpriv --reuid "$user" --regid "$user" --clear-groups /usr/bin/execgo "$@"
exec /usr/bin/execgo "$@"
`;
}
