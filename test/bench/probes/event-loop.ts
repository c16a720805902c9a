import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../../harness/wait.js';

/** What a process saw of its own event loop, in milliseconds. */
export interface LoopDelay {
  /** Longest time between two turns of the loop. */
  max_ms: number;
  p99_ms: number;
  /** Longest pause for JavaScript's own garbage collection. */
  longest_collection_ms: number;
}

const HOOK = fileURLToPath(new URL('event-loop.cjs', import.meta.url));

/** Makes a Node process watch its event loop: flags and environment for its start, and a way to ask it. */
export function watchEventLoop(file: string): {
  nodeFlags: string[];
  env: Record<string, string>;
  /** What was seen since the start or the last time it was asked. */
  ask: (pid: number) => Promise<LoopDelay>;
} {
  return {
    nodeFlags: ['--require', HOOK],
    env: { BENCH_EVENT_LOOP: file },
    ask: async (pid) => {
      rmSync(file, { force: true });
      process.kill(pid, 'SIGUSR2');
      const text = await waitFor(() => readFileSync(file, 'utf8'), { what: 'the event loop of the daemon' });
      return JSON.parse(text) as LoopDelay;
    },
  };
}
