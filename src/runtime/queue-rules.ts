import type { Logger } from 'pino';
import type { StoredRule } from '../store/queue-table.js';
import type { Schedule } from './schedule.js';

/** The rules of queues that are in force. */
export class QueueRules {
  readonly #rules = new Map<string, StoredRule>();

  /** @param stored what was committed before */
  constructor(
    stored: readonly StoredRule[],
    private readonly schedule: Schedule,
    log: Logger,
  ) {
    for (const rule of stored) {
      const { queue, unreadable } = rule;
      if (unreadable.length > 0)
        log.warn({ queue, unreadable }, 'parts of the rule of a queue cannot be read');
      this.set(rule);
    }
  }

  get size(): number {
    return this.#rules.size;
  }

  of(queue: string): StoredRule | undefined {
    return this.#rules.get(queue);
  }

  all(): IterableIterator<StoredRule> {
    return this.#rules.values();
  }

  /** Takes over what was committed. To be called in the order of the commits. */
  set(stored: StoredRule): void {
    this.#rules.set(stored.queue, stored);
    const { max_running, paused, priority, lanes } = stored.rule;
    const byName = new Map(Object.entries(lanes));
    this.schedule.setRule(stored.queue, { max_running, paused, priority, lanes: byName });
  }

  /** As {@link set}, of a rule that was deleted. */
  delete(queue: string): void {
    this.#rules.delete(queue);
    this.schedule.setRule(queue, undefined);
  }
}
