/**
 * Whether the program was reached; `stage` tells `launch_failed` from `sandbox_setup_failed`. With `directory` the message is
 * the name of the error that entering the program's directory gave.
 */
export type ChainReport =
  | { ran: true }
  | { ran: false; stage: 'sandbox' | 'directory'; message: string }
  | { ran: false; stage: 'launch'; message: string; notFound?: boolean };

/** What unshare(1) calls itself, whatever language it speaks in. */
const UNSHARE = 'unshare: ';

/**
 * Judges what a launch chain wrote to descriptor 3 until it was closed. The protocol is positive, and the program has no hand in
 * it: neither its exit code nor its stderr counts.
 *
 * - `sandbox <reason>`: a limit or cgroup could not be set;
 * - `cwd <error>`: the program's directory could not be entered;
 * - `ok`: everything is set up and the program is next, or a tool that executes it;
 * - `exec <code>` after that: it could not be executed.
 *
 * End of file without `ok` means that some stage failed, and its words are on stderr. A tool in between (env(1), or chroot(1)
 * where the new root has no shell) executes the program itself and cannot report here. What can be looked at before is
 * (`program-check.ts`); where the tool fails all the same, its exit code and words are taken for the program's.
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
 * True when the program was ended by SIGKILL, although the unshare(1) that waited for it exited with 1: before util-linux 2.39
 * it cannot end itself so. Once the program is reached, that is the one thing that it says to descriptor 3; see `namespaces.ts`.
 */
export function saysKilled(text: string, exitCode: number | undefined): boolean {
  return exitCode === 1 && text.split('\n').some((line) => line.startsWith(UNSHARE));
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
