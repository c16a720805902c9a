/**
 * Items in an order that goes by a part of them, `P`. Each keeps its place until it is taken out: that part may change
 * only while it is out.
 */
export class Ordered<T extends P, P = T> {
  readonly #items: T[] = [];

  /** @param before a total order: of two items one comes before the other */
  constructor(private readonly before: (a: P, b: P) => boolean) {}

  add(item: T): void {
    const last = this.#items.at(-1);
    if (last === undefined || this.before(last, item)) this.#items.push(item);
    else this.#items.splice(this.position(item), 0, item);
  }

  /** Takes out an item that is in it, and as it was when it was added. */
  remove(item: T): void {
    this.#items.splice(this.position(item), 1);
  }

  /** From the first on; must not change meanwhile. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Index of the first item that does not come before this one, which need not be in it. */
  position(item: P): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#items[middle];
      if (other !== undefined && this.before(other, item)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
