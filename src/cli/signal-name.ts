import { constants } from 'node:os';
import { UsageError } from './usage-error.js';

/**
 * `TERM`, `SIGTERM`, `term` or `15` → 15.
 * @throws UsageError for a word that is no signal of this system
 */
export function parseSignal(text: string): number {
  const upper = text.toUpperCase();
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  const named: Record<string, number> = constants.signals;
  const number = /^\d+$/.test(text) ? Number(text) : Object.hasOwn(named, name) ? named[name] : undefined;
  if (number === undefined || number < 1 || number > 64)
    throw new UsageError(`"${text}" is not a signal: write a name such as TERM, or a number from 1 to 64`);
  return number;
}

/**
 * The value for `--signal` that means the same as a signal flag of kill(1): `-9`, `-KILL`, `-SIGKILL`; undefined for other
 * words.
 */
export function signalFlag(word: string): string | undefined {
  if (!/^-[A-Za-z0-9+]+$/.test(word)) return undefined;
  try {
    return signalName(parseSignal(word.slice(1))).replace(/^(SIG|signal )/, '');
  } catch {
    return undefined;
  }
}

/** `SIGTERM` for 15; `signal 35` for a number without a name. */
export function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, n]) => n === number)?.[0] ?? `signal ${String(number)}`;
}
