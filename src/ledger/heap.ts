/** A binary heap: finds the item that `before` puts first without sorting the others. */
export class Heap<T> {
  readonly #items: T[];

  constructor(
    items: T[],
    private readonly before: (a: T, b: T) => boolean,
  ) {
    this.#items = items;
    for (let i = (items.length >>> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  /** The item that {@link pop} would take. */
  get first(): T | undefined {
    return this.#items[0];
  }

  pop(): T | undefined {
    const first = this.#items[0];
    const last = this.#items.pop();
    if (last !== undefined && this.#items.length > 0) {
      this.#items[0] = last;
      this.#sink(0);
    }
    return first;
  }

  push(item: T): void {
    let at = this.#items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = this.#items[parent];
      if (above === undefined || !this.before(item, above)) break;
      this.#items[at] = above;
      at = parent;
    }
    this.#items[at] = item;
  }

  #sink(from: number): void {
    const item = this.#items[from];
    if (item === undefined) return;
    let at = from;
    for (;;) {
      const left = this.#items[2 * at + 1];
      const right = this.#items[2 * at + 2];
      if (left === undefined) break;
      const takeRight = right !== undefined && this.before(right, left);
      const child = takeRight ? right : left;
      if (!this.before(child, item)) break;
      this.#items[at] = child;
      at = 2 * at + (takeRight ? 2 : 1);
    }
    this.#items[at] = item;
  }
}
