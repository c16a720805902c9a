import { execFile } from 'node:child_process';

/** A probe that takes longer has failed. In milliseconds. */
const PROBE_TIMEOUT_MS = 2000;

/**
 * Runs a command only to see whether it succeeds.
 * @returns undefined when it exits with 0; else the last line of its stderr, or how it ended
 */
export function tryCommand(file: string, args: string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, _stdout, stderr) => {
      if (error === null) resolve(undefined);
      else resolve(stderr.trimEnd().split('\n').at(-1) || error.message);
    });
  });
}
