/** Tasks whose insert is under way, each with its queue. */
export class Inserting {
  readonly #queues = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#queues.size;
  }

  add(taskId: string, queue: string): void {
    this.#queues.set(taskId, queue);
    this.#counts.set(queue, this.of(queue) + 1);
  }

  has(taskId: string): boolean {
    return this.#queues.has(taskId);
  }

  delete(taskId: string): void {
    const queue = this.#queues.get(taskId);
    if (queue === undefined) return;
    this.#queues.delete(taskId);
    const left = this.of(queue) - 1;
    if (left === 0) this.#counts.delete(queue);
    else this.#counts.set(queue, left);
  }

  /** How many of a queue there are. */
  of(queue: string): number {
    return this.#counts.get(queue) ?? 0;
  }
}
