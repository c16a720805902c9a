/**
 * Whether the program was reached. If not, `stage` decides between `launch_failed` and `sandbox_setup_failed`. With
 * `directory`, the message is the name of the system error from entering the program's directory.
 */
export type ChainReport =
  | { ran: true }
  | { ran: false; stage: 'sandbox' | 'directory'; message: string }
  | { ran: false; stage: 'launch'; message: string; notFound?: boolean };

/** The prefix of unshare(1)'s own messages, in every language. */
const UNSHARE = 'unshare: ';

/**
 * Judges what a launch chain wrote to descriptor 3 until it was closed. Success has to be reported, and the program cannot
 * report anything: neither its exit code nor its stderr counts.
 *
 * - `sandbox <reason>`: a limit or cgroup could not be set;
 * - `cwd <error>`: the program's directory could not be entered;
 * - `ok`: everything is set up and the program is next, or a tool that executes it;
 * - `exec <code>` after that: it could not be executed.
 *
 * End of file without `ok` means that some stage failed and said why on stderr. When a tool executes the program (env(1), or
 * chroot(1) into a root without shell), the tool cannot report here. What can be checked before is (`program-check.ts`); if
 * the tool fails all the same, its exit code and message are taken for the program's.
 *
 * @param text everything that was read from descriptor 3
 * @param stderr what the process wrote to stderr so far
 */
export function readReport(text: string, stderr: string): ChainReport {
  const lines = text.split('\n');
  const sandbox = lines.find((line) => line.startsWith('sandbox '));
  if (sandbox !== undefined)
    return { ran: false, stage: 'sandbox', message: withDetail(sandbox.slice('sandbox '.length), stderr) };
  const directory = lines.find((line) => line.startsWith('cwd '));
  if (directory !== undefined)
    return { ran: false, stage: 'directory', message: directory.slice('cwd '.length) };
  if (!lines.includes('ok'))
    return { ran: false, stage: 'sandbox', message: withDetail('the launch chain failed', stderr + text) };
  const exec = lines.find((line) => line.startsWith('exec '));
  if (exec !== undefined) return { ran: false, stage: 'launch', ...execFailure(exec, stderr) };
  return { ran: true };
}

/**
 * True when SIGKILL ended the program, although unshare(1), which waited for it, exited with 1: before util-linux 2.39 it
 * cannot end itself by that signal. Once the program is reached, this is the only thing that it reports on descriptor 3; see
 * `namespaces.ts`.
 */
export function saysKilled(text: string, exitCode: number | undefined): boolean {
  return exitCode === 1 && text.split('\n').some((line) => line.startsWith(UNSHARE));
}

function execFailure(exec: string, stderr: string): { message: string; notFound?: boolean } {
  return exec === 'exec 127'
    ? { message: withDetail('program not found', stderr), notFound: true }
    : { message: withDetail('program cannot be executed', stderr) };
}

/** Adds the last line of stderr, without the shell's name and line number. */
function withDetail(message: string, stderr: string): string {
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  const detail = last
    .replace(/^\S*sh: (exec: )?(line )?(\d+: )?(exec: )?/, '')
    .replace(/^execgo: (line )?(\d+: )?(exec: )?(line \d+: )?/, '');
  return detail === '' ? message : `${message}: ${detail}`;
}
