import { UsageError } from './usage-error.js';

/**
 * Collects `KEY=VALUE` options; the value may be empty and may hold `=`. For commander's repeated options.
 * @throws UsageError without `=` or without a key
 */
export function collectPair(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`"${text}" is not KEY=VALUE`);
  return Object.fromEntries([...Object.entries(previous), [text.slice(0, at), text.slice(at + 1)]]);
}
