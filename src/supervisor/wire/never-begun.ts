import type { Outcome } from './protocol.js';

/** The outcome of an attempt that never began. @param atMs Unix time in milliseconds */
export function neverBegun(
  launch_id: number,
  token: string,
  failure: Outcome['failure'],
  atMs: number,
): Outcome {
  return {
    ...{ launch_id, token, failure },
    ...{ finished_at_ms: atMs, duration_ms: 0, oom: false, cpu_exceeded: false },
    stdout: { bytes: 0, kept_bytes: 0 },
    stderr: { bytes: 0, kept_bytes: 0 },
    usage: {},
  };
}
