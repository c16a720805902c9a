import { appendFileSync } from 'node:fs';

/** Writes one line of the supervisor's log. */
export type Log = (message: string, fields?: Record<string, unknown>) => void;

/** @returns a log for rare problems, one JSON object a line. When the disk is full nothing is logged. */
export function fileLog(path: string): Log {
  return (message, fields) => {
    try {
      const line = JSON.stringify({ time: new Date().toISOString(), pid: process.pid, message, ...fields });
      appendFileSync(path, line + '\n', { mode: 0o600 });
    } catch {
      // There is no other place to report it to.
    }
  };
}
