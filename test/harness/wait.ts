import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, readProcess } from './proc.js';

/** Long enough that only something that never comes is missed, in milliseconds. */
const PATIENCE_MS = 20_000;
const POLL_MS = 10;

export interface WaitOptions {
  /** Guard against hanging, in milliseconds; no measure of speed. 20 s by default. */
  timeoutMs?: number;
  /** What is waited for, for the message of the failure: "… did not come within …". */
  what?: string;
}

/**
 * Waits until `condition` gives something else than false, null or undefined, and returns that. A condition that throws
 * counts as not met; the last thing it threw is the cause of the failure.
 * @throws Error after `timeoutMs`, naming `what`.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const timeoutMs = options.timeoutMs ?? PATIENCE_MS;
  let met: { value: NonNullable<Exclude<T, false>> } | undefined;
  let cause: unknown;
  await poll(async () => {
    try {
      const value = await condition();
      cause = undefined;
      if (value === false || value === null || value === undefined) return false;
      met = { value: value as NonNullable<Exclude<T, false>> };
      return true;
    } catch (error) {
      cause = error;
      return false;
    }
  }, timeoutMs);
  if (met !== undefined) return met.value;
  throw new Error(`${options.what ?? 'the condition'} did not come within ${timeoutMs} ms`, { cause });
}

/** Waits until no process has this pid; its zombie counts as gone. */
export async function waitGone(pid: number, options: WaitOptions = {}): Promise<void> {
  const command = readProcess(pid)?.command.slice(0, 100) ?? '';
  await waitFor(() => !isAlive(pid), { what: `the end of process ${pid} (${command})`, ...options });
}

/** Asks `done` until it says true or `timeoutMs` have passed; at least once, and once more at the end. */
export async function poll(done: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const last = performance.now() >= deadline;
    if ((await done()) || last) return;
    await delay(POLL_MS);
  }
}
