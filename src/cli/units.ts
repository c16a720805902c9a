export { formatDuration } from '../task/duration.js';
import { UsageError } from './usage-error.js';

/** The longest time that Node's timers accept, in milliseconds: 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const BYTES: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/**
 * `250ms`, `10s`, `1.5h` → milliseconds. A number without unit is refused, except 0: seconds and milliseconds are too easily
 * confused.
 * @throws UsageError
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const value = Math.round(Number(match?.[1]) * (MILLISECONDS[match?.[2] ?? ''] ?? NaN));
  if (!Number.isSafeInteger(value))
    throw new UsageError(`"${text}" is not a duration: write a number with ms, s, m, h or d, such as 10s`);
  return value;
}

/** As {@link parseDuration}, in seconds, which the wire counts in; part of a second counts as a whole one. */
export function parseSeconds(text: string): number {
  return Math.ceil(parseDuration(text) / 1000);
}

/**
 * `4096`, `64K`, `64M`, `1.5GiB` → bytes; units are powers of 1024.
 * @throws UsageError
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text);
  const value = Math.round(Number(match?.[1]) * (BYTES[match?.[2]?.toUpperCase() ?? ''] ?? NaN));
  if (!Number.isSafeInteger(value))
    throw new UsageError(`"${text}" is not a size: write bytes, or a number with K, M, G or T, such as 64M`);
  return value;
}

/**
 * A whole number within `±(2^53−1)`.
 * @throws UsageError
 */
export function parseInteger(text: string): number {
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new UsageError(`"${text}" is not a whole number`);
  return value;
}

/**
 * A point in time as RFC 3339: `2026-03-01T10:00`, a day, which begins at midnight, both by this machine's zone unless one is given; or
 * how long ago it was, such as `2h`.
 * @param now Unix time in milliseconds
 * @throws UsageError
 */
export function parseInstant(text: string, now = Date.now()): string {
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text)) return new Date(now - parseDuration(text)).toISOString();
  const form = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;
  const at = form.test(text)
    ? Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'))
    : NaN;
  if (Number.isNaN(at))
    throw new UsageError(
      `"${text}" is not a time: write 2026-03-01, 2026-03-01T10:00 or how long ago it was, such as 2h`,
    );
  return new Date(at).toISOString();
}

/** A whole number, at least 0. @throws UsageError */
export function parseCount(text: string): number {
  const value = parseInteger(text);
  if (value < 0) throw new UsageError(`"${text}" must not be negative`);
  return value;
}

/**
 * Collects `KEY=VALUE` options; the value may be empty and may hold `=`. For commander's repeated options.
 * @throws UsageError without `=` or without a key
 */
export function collectPair(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`"${text}" is not KEY=VALUE`);
  return Object.fromEntries([...Object.entries(previous), [text.slice(0, at), text.slice(at + 1)]]);
}

/** An amount for people, in the unit that the help names for the value of its flag. */
export function formatAmount(amount: number, { value }: { value: string }): string {
  return value === '<size>' ? formatSize(amount) : String(amount);
}

/** Bytes for people, in powers of 1024. */
export function formatSize(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return `${unit === 'B' ? String(value) : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}
