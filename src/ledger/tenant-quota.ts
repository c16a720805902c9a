import type { RESOURCE_KEYS, Resources } from '../task/resources.js';

/** What every machine has under the names that `--tenant-quota` uses. */
const KEYS: Readonly<Record<string, (typeof RESOURCE_KEYS)[number]>> = {
  slots: 'task_slots',
  cpu: 'cpu_millis',
  memory: 'memory_bytes',
  pids: 'pids',
  disk: 'disk_bytes',
};

/** What no resource can be named by an operator. */
export const QUOTA_WORDS: readonly string[] = Object.keys(KEYS);

/** The text of a tenant quota is wrong; the message says how. */
export class TenantQuotaError extends Error {
  override readonly name = 'TenantQuotaError';
}

/**
 * Parses `name=slots:N[,memory:BYTES][,pids:N][,cpu:MILLIS][,disk:BYTES][,RESOURCE:N]`, in any order. Spaces are trimmed; when a key is
 * repeated, the last one counts. An amount may be 0.
 * @param names the resources that the operator has named
 * @throws TenantQuotaError
 */
export function parseTenantQuota(
  text: string,
  names: readonly string[] = [],
): { tenant: string; quota: Resources } {
  const at = text.indexOf('=');
  if (at < 0) throw new TenantQuotaError(`"${text}" has no "=": write name=slots:N`);
  const tenant = text.slice(0, at).trim();
  if (tenant === '') throw new TenantQuotaError(`"${text}" has no tenant name before "="`);
  const amounts: Partial<Record<(typeof RESOURCE_KEYS)[number], number>> = {};
  const named = new Map<string, number>();
  for (const part of text.slice(at + 1).split(',')) {
    const [name, value, ...more] = part.split(':').map((s) => s.trim());
    const key = name !== undefined && Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
    if (key === undefined && !names.includes(name ?? '')) {
      const words = [...QUOTA_WORDS, ...names].map((word) => `${word}:N`).join(', ');
      throw new TenantQuotaError(`tenant ${tenant}: "${part.trim()}" is not one of ${words}`);
    }
    if (
      value === undefined ||
      more.length > 0 ||
      !/^\d+$/.test(value) ||
      !Number.isSafeInteger(Number(value))
    )
      throw new TenantQuotaError(`tenant ${tenant}: "${part.trim()}" needs a whole number from 0 to 2^53-1`);
    if (key === undefined) named.set(name ?? '', Number(value));
    else amounts[key] = Number(value);
  }
  const { task_slots } = amounts;
  if (task_slots === undefined) throw new TenantQuotaError(`tenant ${tenant}: slots:N is required`);
  const resources = named.size === 0 ? {} : { resources: Object.fromEntries(named) };
  return { tenant, quota: { ...amounts, task_slots, ...resources } };
}
