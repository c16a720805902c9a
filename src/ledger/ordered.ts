/**
 * A sorted list of items, compared by a part of them, `P`. That part of an item must not change while the item is in the
 * list.
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

  /** Removes an item, which must be in the list and compare as it did when it was added. */
  remove(item: T): void {
    this.#items.splice(this.position(item), 1);
  }

  /** All items in order; the list must not change while they are read. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Index of the first item that does not come before `item`. `item` need not be in the list. */
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
