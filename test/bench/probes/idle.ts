import { setTimeout as delay } from 'node:timers/promises';
import { cpuMs } from './process-cpu.js';

/** A daemon that uses less than this share of a core is idle. */
const IDLE_SHARE = 0.04;
const LOOK_MS = 500;

/** Waits until a daemon has done what it does after a start. */
export async function idle({ pid }: { pid: number }): Promise<void> {
  for (let before = cpuMs(pid); ;) {
    await delay(LOOK_MS);
    const after = cpuMs(pid);
    if (after - before < IDLE_SHARE * LOOK_MS) return;
    before = after;
  }
}
