import { spawn } from 'node:child_process';
import { execgoCommand } from './executable.js';

/** Runs what its arguments say in a terminal of so many columns of its own, and passes on what is typed and shown. */
const TERMINAL = `import fcntl, os, pty, select, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
  fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
  os.execvp(sys.argv[2], sys.argv[2:])
typed = [0]
while True:
  for ready in select.select([fd] + typed, [], [])[0]:
    try:
      data = os.read(ready, 65536)
    except OSError:
      data = b""
    if ready == 0:
      if data: os.write(fd, data)
      else: typed = []
    elif data: os.write(1, data)
    else: sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;

/** A command line that runs in a terminal. */
interface Terminal {
  /** All that it has shown: standard output and error in one, lines ended as elsewhere. */
  shown: () => string;
  /** Sends keys, such as `\x03` for Ctrl-C. */
  type: (keys: string) => void;
  /** Its exit code, once it has ended. */
  ended: Promise<number | null>;
}

/** Runs the real command line as a person does. */
export function inTerminal(
  args: readonly string[],
  options: { daemon?: { url: string }; columns?: number; env?: Record<string, string> } = {},
): Terminal {
  const { daemon, columns = 80, env = {} } = options;
  const server = daemon === undefined ? {} : { EXECGO_RUNTIME_URL: daemon.url };
  const child = spawn('python3', ['-c', TERMINAL, String(columns), ...execgoCommand(args).flat()], {
    env: { ...process.env, NO_COLOR: '1', ...server, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.on('error', () => undefined);
  return {
    shown: () => Buffer.concat(chunks).toString().replaceAll('\r\n', '\n'),
    type: (keys) => child.stdin.write(keys),
    ended: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    }),
  };
}
