import { appendFileSync } from 'node:fs';

/** Writes one line of the supervisor's log. */
export type Log = (message: string, fields?: Record<string, unknown>) => void;

/** @returns a log of one JSON object a line, for the rare things that people should know of. A full disk silences it. */
export function fileLog(path: string): Log {
  return (message, fields) => {
    try {
      const line = JSON.stringify({ time: new Date().toISOString(), pid: process.pid, message, ...fields });
      appendFileSync(path, line + '\n', { mode: 0o600 });
    } catch {
      // There is nowhere left to complain to.
    }
  };
}
