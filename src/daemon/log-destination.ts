import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/**
 * A destination for a log that must neither block nor end the daemon: a line that cannot be written, for example on a full
 * disk, is dropped, and after the next line that can be written the number of dropped ones is logged.
 */
export function lossyDestination(fd: number): DestinationStream {
  let lost = 0;
  const tryWrite = (line: string): boolean => {
    try {
      writeSync(fd, line);
      return true;
    } catch {
      lost++;
      return false;
    }
  };
  return {
    write: (line) => {
      if (!tryWrite(line) || lost === 0) return;
      const count = lost;
      const notice = { level: 40, time: Date.now(), lines: count, msg: 'lines of this log were lost before' };
      if (tryWrite(`${JSON.stringify(notice)}\n`)) lost -= count;
    },
  };
}
