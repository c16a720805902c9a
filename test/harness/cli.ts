import { spawn } from 'node:child_process';
import { complaintAboutPrinted } from './check-printed.js';
import { execgoCommand } from './executable.js';

export interface CliOptions {
  /** Over the environment of the tests; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Given on stdin, which is then closed. */
  input?: string;
  /** Whose URL the command gets as its server. */
  daemon?: { url: string };
  cwd?: string;
  /** As for {@link execgoCommand}. */
  program?: string;
  /** User and group number that it runs as. */
  uid?: number;
  /** Sends the command a signal when it aborts, SIGINT as from Ctrl-C. */
  interrupt?: AbortSignal;
}

export interface CliResult {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs the real command line, without a terminal, and waits for its end.
 * @throws Error when it prints other JSON than the API answers
 */
export function execgo(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const server = options.daemon === undefined ? {} : { EXECGO_RUNTIME_URL: options.daemon.url };
  const child = spawn(...execgoCommand(args, options.program), {
    cwd: options.cwd,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    env: { ...process.env, ...server, ...options.env },
    stdio: 'pipe',
  });
  options.interrupt?.addEventListener('abort', () => child.kill('SIGINT'), { once: true });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  // A command that reads no input may be gone before it is written.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const result = { code, signal, stdout: stdout(), stderr: stderr() };
      // What a signal ended may have been cut off.
      const complaint = signal === null ? complaintAboutPrinted(args, result.stdout) : Promise.resolve();
      complaint.then((said) => {
        if (said === undefined) resolve(result);
        else reject(new Error(said));
      }, reject);
    });
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
