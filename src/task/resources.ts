/**
 * Amounts of the four things a task reserves. `cpu_millis` are thousandths of one core, `memory_bytes` bytes.
 * An absent capacity or quota means "no limit"; an absent amount in a reservation means "none asked for".
 */
export type Resources = { task_slots: number } & Partial<Record<ResourceKey, number | undefined>>;

/** The keys of {@link Resources}, in the order in which a shortage is reported. */
export const RESOURCE_KEYS = ['task_slots', 'cpu_millis', 'memory_bytes', 'pids'] as const;
export type ResourceKey = (typeof RESOURCE_KEYS)[number];
