import { queueOf, type TaskRequest } from '../../task/request.js';
import { CountByKey } from '../count-by-key.js';

interface Place {
  queue: string;
  tenant: string | undefined;
}

/** Tasks that are about to wait somewhere: their insert, or their move into another queue, is under way. */
export class Inserting {
  readonly #places = new Map<string, Place>();
  readonly #queues = new CountByKey<string>();
  readonly #tenants = new CountByKey<string | undefined>();

  get size(): number {
    return this.#places.size;
  }

  add(taskId: string, request: Pick<TaskRequest, 'control_context'>): void {
    const place = { queue: queueOf(request), tenant: request.control_context?.tenant };
    this.#places.set(taskId, place);
    this.#queues.add(place.queue);
    this.#tenants.add(place.tenant);
  }

  has(taskId: string): boolean {
    return this.#places.has(taskId);
  }

  delete(taskId: string): void {
    const place = this.#places.get(taskId);
    if (place === undefined) return;
    this.#places.delete(taskId);
    this.#queues.delete(place.queue);
    this.#tenants.delete(place.tenant);
  }

  ofQueue(queue: string): number {
    return this.#queues.of(queue);
  }

  /** @param tenant undefined: those without one */
  ofTenant(tenant: string | undefined): number {
    return this.#tenants.of(tenant);
  }
}
