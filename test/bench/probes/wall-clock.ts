import koffi from 'koffi';

const CLOCK_REALTIME = 0;

/** Reads the wall clock as other programs do, in milliseconds with the nanoseconds behind the point that a double keeps. */
export function wallClock(): () => number {
  const read = koffi.load(null).func('int clock_gettime(int clock, void *time)') as (
    clock: number,
    time: Buffer,
  ) => number;
  const time = Buffer.alloc(16);
  return () => {
    read(CLOCK_REALTIME, time);
    return Number(time.readBigInt64LE(0)) * 1000 + Number(time.readBigInt64LE(8)) / 1e6;
  };
}
