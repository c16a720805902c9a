import type { ResourceKey, Resources } from '../task/resources.js';

/** The four resources under the names that `--tenant-quota` uses. */
const KEYS: Readonly<Record<string, ResourceKey>> = {
  slots: 'task_slots',
  cpu: 'cpu_millis',
  memory: 'memory_bytes',
  pids: 'pids',
};

/** The text of a tenant quota is wrong; the message says how. */
export class TenantQuotaError extends Error {
  override readonly name = 'TenantQuotaError';
}

/**
 * Parses `name=slots:N[,memory:BYTES][,pids:N][,cpu:MILLIS]`, in any order. Spaces are trimmed; when a key is repeated, the
 * last one counts. An amount may be 0.
 * @throws TenantQuotaError
 */
export function parseTenantQuota(text: string): { tenant: string; quota: Resources } {
  const at = text.indexOf('=');
  if (at < 0) throw new TenantQuotaError(`"${text}" has no "=": write name=slots:N`);
  const tenant = text.slice(0, at).trim();
  if (tenant === '') throw new TenantQuotaError(`"${text}" has no tenant name before "="`);
  const amounts: Partial<Resources> = {};
  for (const part of text.slice(at + 1).split(',')) {
    const [name, value, ...more] = part.split(':').map((s) => s.trim());
    const key = name !== undefined && Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
    if (key === undefined)
      throw new TenantQuotaError(
        `tenant ${tenant}: "${part.trim()}" is not one of slots:N, cpu:N, memory:N, pids:N`,
      );
    if (
      value === undefined ||
      more.length > 0 ||
      !/^\d+$/.test(value) ||
      !Number.isSafeInteger(Number(value))
    )
      throw new TenantQuotaError(`tenant ${tenant}: "${part.trim()}" needs a whole number from 0 to 2^53-1`);
    amounts[key] = Number(value);
  }
  const { task_slots } = amounts;
  if (task_slots === undefined) throw new TenantQuotaError(`tenant ${tenant}: slots:N is required`);
  return { tenant, quota: { ...amounts, task_slots } };
}
