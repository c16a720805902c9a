import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { waitFor } from '../harness/index.js';

/** Mounts `from` once more at `to`, a directory or a file as it is, until the test is over. */
export function bindMount(from: string, to: string): void {
  execFileSync('mount', ['--bind', from, to]);
  onTestFinished(() => {
    unmount(to);
  });
}

/** Whatever is mounted at `path` is not any more. Nothing is asked of it. */
export function unmount(path: string): void {
  while (isMounted(path)) execFileSync('umount', ['--lazy', path]);
}

const SILENT_FILE_SYSTEM = `import ctypes, os, sys
path, kind = sys.argv[1:]
fd = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = b'fd=%d,rootmode=%s,user_id=0,group_id=0,allow_other' % (fd, kind.encode())
if libc.mount(b'silent', path.encode(), b'fuse', 0, options) != 0: sys.exit(os.strerror(ctypes.get_errno()))
print('mounted', flush=True)
sys.stdin.read()`;

/**
 * Mounts a file system whose server answers nothing: whoever asks it for anything waits until the test is over.
 * @param kind of its root
 */
export async function silentMount(path: string, kind: 'directory' | 'file'): Promise<void> {
  const mode = kind === 'directory' ? '40000' : '100000';
  const server = spawn('python3', ['-c', SILENT_FILE_SYSTEM, path, mode], { stdio: 'pipe' });
  const said = outputOf(server);
  // Hooks run in the opposite order: the end of the server lets go whoever waits for it.
  onTestFinished(() => {
    unmount(path);
  });
  onTestFinished(() => void server.kill('SIGKILL'));
  await waitFor(() => said().includes('\n'), { what: 'a silent file system' });
  if (said() !== 'mounted\n') throw new Error(`cannot mount a silent file system: ${said()}`);
}

function outputOf(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (piece: Buffer) => (text += piece.toString()));
  return () => text;
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === path);
}
