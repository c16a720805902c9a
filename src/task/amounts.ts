import { isNamedKey, resourceName, type ResourceKey } from './resources.js';

const SIZES = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes in words, in powers of 1024 with at most two decimals: `6 GiB`. */
function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < SIZES.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${rounded(value)} ${SIZES[unit] ?? ''}`;
}

const rounded = (value: number) => String(Math.round(value * 100) / 100);

/** What is asked for and what there is of a resource, in words. */
export interface AmountTexts {
  /** `6 GiB of memory`, `1 slot`, `2 gpu`. */
  requested: string;
  /** `2 GiB of 8 GiB`, `0 of 4`. */
  left: string;
}

/** Amounts that differ never read the same. */
export function amountTexts(
  resource: ResourceKey,
  { requested, free, limit }: { requested: number; free: number; limit: number },
): AmountTexts {
  const bare = numberText(resource, requested) === numberText(resource, free) ? String : undefined;
  const text = (amount: number) => bare?.(amount) ?? numberText(resource, amount);
  return {
    requested: `${text(requested)} ${nounOf(resource, requested, bare !== undefined)}`,
    left: `${text(free)} of ${text(limit)}`,
  };
}

function numberText(resource: ResourceKey, amount: number): string {
  if (resource === 'memory_bytes' || resource === 'disk_bytes') return sizeText(amount);
  return resource === 'cpu_millis' ? rounded(amount / 1000) : String(amount);
}

/** @param isBare the number before it is the amount itself */
function nounOf(resource: ResourceKey, amount: number, isBare: boolean): string {
  if (isNamedKey(resource)) return resourceName(resource);
  switch (resource) {
    case 'task_slots':
      return amount === 1 ? 'slot' : 'slots';
    case 'cpu_millis':
      if (isBare) return 'thousandths of a core';
      return amount === 1000 ? 'core' : 'cores';
    case 'memory_bytes':
      return isBare ? 'bytes of memory' : 'of memory';
    case 'disk_bytes':
      return isBare ? 'bytes of disk' : 'of disk';
    case 'pids':
      return amount === 1 ? 'process' : 'processes';
  }
}
