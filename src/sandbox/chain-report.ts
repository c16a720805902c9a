/**
 * Whether the program was reached; `stage` tells `launch_failed` from `sandbox_setup_failed`. With `directory` the message is
 * the name of the error that entering the program's directory gave.
 */
export type ChainReport =
  | { ran: true }
  | { ran: false; stage: 'sandbox' | 'directory'; message: string }
  | { ran: false; stage: 'launch'; message: string; notFound?: boolean };

/** Exit codes of chroot(1) and env(1) for failures of their own; programs use them too. */
const TOOL_FAILED = 125;
const TOOL_CANNOT_RUN = [126, 127];

/** What unshare(1) before util-linux 2.39 says, exiting with 1, when SIGKILL has ended what it waited for. */
const UNSHARE_KILLED = 'unshare: sigprocmask unblock failed: Invalid argument\n';

/** True when a waiting unshare(1) means that the program was ended by SIGKILL. `words` are the last of stderr. */
export function saysKilled(exitCode: number | undefined, words: string): boolean {
  return exitCode === 1 && words.endsWith(UNSHARE_KILLED);
}

/** @returns as much of the end of stderr as {@link saysKilled} looks at, once `chunk` has come after `words`. */
export function lastWords(words: string, chunk: Buffer): string {
  const { length } = UNSHARE_KILLED;
  return (words + chunk.toString('latin1', Math.max(0, chunk.length - length))).slice(-length);
}

/**
 * Judges what a launch chain wrote to descriptor 3 until it was closed. The protocol is positive:
 *
 * - `sandbox <reason>`: a limit or cgroup could not be set;
 * - `cwd <error>`: the program's directory could not be entered;
 * - `through`: chroot(1) or env(1) comes between the chain and the program;
 * - `ok`: everything is set up and the program is next;
 * - `exec <code>` after that: the program could not be executed.
 *
 * End of file without `ok` means that some stage failed, and its words are on stderr. A tool in between executes the program
 * itself and cannot report here: its failure is known by exit code 125 to 127 together with an stderr that consists of
 * nothing but the one line of the tool, which begins with the absolute path that the chain called it by.
 *
 * @param text everything that was read from descriptor 3
 * @param stderr what the process wrote to stderr so far
 * @param exitCode needed with `through` only, once the process has ended
 */
export function readReport(text: string, stderr: string, exitCode?: number): ChainReport {
  const lines = text.split('\n');
  const sandbox = lines.find((line) => line.startsWith('sandbox '));
  if (sandbox !== undefined)
    return { ran: false, stage: 'sandbox', message: withDetail(sandbox.slice('sandbox '.length), stderr) };
  const directory = lines.find((line) => line.startsWith('cwd '));
  if (directory !== undefined)
    return { ran: false, stage: 'directory', message: directory.slice('cwd '.length) };
  if (!lines.includes('ok'))
    return { ran: false, stage: 'sandbox', message: withDetail('the launch chain failed', stderr) };
  const exec = lines.find((line) => line.startsWith('exec '));
  if (exec !== undefined) return { ran: false, stage: 'launch', ...execFailure(exec, stderr) };
  if (lines.includes('through')) return toolReport(stderr, exitCode);
  return { ran: true };
}

function toolReport(stderr: string, exitCode: number | undefined): ChainReport {
  const [, tool, words] = /^\/[^\n:]*\/(chroot|env): ([^\n]+)\n$/.exec(stderr) ?? [];
  if (words === undefined || exitCode === undefined) return { ran: true };
  if (exitCode === TOOL_FAILED) return { ran: false, stage: 'sandbox', message: `${tool}: ${words}` };
  return TOOL_CANNOT_RUN.includes(exitCode) ? { ran: false, stage: 'launch', message: words } : { ran: true };
}

function execFailure(exec: string, stderr: string): { message: string; notFound?: boolean } {
  return exec === 'exec 127'
    ? { message: withDetail('program not found', stderr), notFound: true }
    : { message: withDetail('program cannot be executed', stderr) };
}

/** Adds the last line of stderr, without the name of the shell and its line number. */
function withDetail(message: string, stderr: string): string {
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  const detail = last
    .replace(/^\S*sh: (exec: )?(line )?(\d+: )?(exec: )?/, '')
    .replace(/^execgo: (line )?(\d+: )?(exec: )?(line \d+: )?/, '');
  return detail === '' ? message : `${message}: ${detail}`;
}
