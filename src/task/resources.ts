/** The keys of {@link Resources} that every machine has, in the order in which a shortage is reported. */
export const RESOURCE_KEYS = ['task_slots', 'cpu_millis', 'memory_bytes', 'pids', 'disk_bytes'] as const;
type OwnKey = (typeof RESOURCE_KEYS)[number];

const PREFIX = 'resources.';
/** A resource that an operator has named: `resources.gpu`. */
export type NamedKey = `${typeof PREFIX}${string}`;
/** One thing that there is so much of. */
export type ResourceKey = OwnKey | NamedKey;

/** How much of each named resource, by its name. */
export type NamedAmounts = Readonly<Record<string, number>>;

/**
 * Amounts of what a task reserves. `cpu_millis` are thousandths of one core, `memory_bytes` and `disk_bytes` bytes; `resources` are those
 * that an operator has named.
 * An absent capacity or quota means "no limit", but for a named resource, which a machine only has when it is named; an absent
 * amount in a reservation means "none asked for".
 */
export type Resources = { task_slots: number } & Partial<Record<OwnKey, number | undefined>> & {
    resources?: NamedAmounts | undefined;
  };

/** The items of named resources that a task has for itself, by the name of the resource. */
export type ResourceItems = Readonly<Record<string, string[]>>;

export function isNamedKey(key: ResourceKey): key is NamedKey {
  return key.startsWith(PREFIX);
}

/** `gpu` → `resources.gpu`. */
export function namedKey(name: string): NamedKey {
  return `${PREFIX}${name}`;
}

/** `resources.gpu` → `gpu`. */
export function resourceName(key: NamedKey): string {
  return key.slice(PREFIX.length);
}

/** The named resources among amounts. */
export function namedAmounts({ resources }: Pick<Resources, 'resources'>): [NamedKey, number][] {
  if (resources === undefined) return [];
  return Object.entries(resources).map(([name, amount]) => [namedKey(name), amount]);
}

/** What amounts say of one resource. */
export function amountOf(amounts: Partial<Resources>, key: ResourceKey): number | undefined {
  if (!isNamedKey(key)) return amounts[key];
  const { resources = {} } = amounts;
  const name = resourceName(key);
  return Object.hasOwn(resources, name) ? resources[name] : undefined;
}

/** All resources that amounts speak of, and those that every machine has. */
export function keysOf(amounts: Partial<Resources>): readonly ResourceKey[] {
  if (amounts.resources === undefined) return RESOURCE_KEYS;
  return [...RESOURCE_KEYS, ...Object.keys(amounts.resources).map(namedKey)];
}
