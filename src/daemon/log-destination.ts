import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/**
 * A destination for a log that must neither hold up nor end the daemon: a line that cannot be written, on a full disk
 * say, is lost, and the next one that can is followed by how many were.
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
