/** How many items a chunk has at most. */
const CHUNK = 512;

/**
 * A sorted list of items, compared by a part of them, `P`. That part of an item must not change while the item is in the
 * list. With 100,000 items a change or a question takes about as long as with a hundred, wherever in the order it is.
 */
export class Ordered<T extends P, P = T> {
  /** In order; none is empty. */
  readonly #chunks: T[][] = [];
  #size = 0;

  /** @param before a total order: of two items one comes before the other */
  constructor(private readonly before: (a: P, b: P) => boolean) {}

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#chunks[0]?.[0];
  }

  add(item: T): void {
    this.#size++;
    const at = Math.min(this.#chunkOf(item), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) this.#chunks.push([item]);
    else {
      chunk.splice(this.#within(chunk, item), 0, item);
      if (chunk.length > CHUNK) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK / 2));
    }
  }

  /** Removes an item, which must be in the list and compare as it did when it was added. */
  remove(item: T): void {
    const at = this.#chunkOf(item);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    this.#size--;
    chunk.splice(this.#within(chunk, item), 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** How many items come before `item`, which need not be in the list. */
  position(item: P): number {
    const at = this.#chunkOf(item);
    let count = 0;
    for (let i = 0; i < at; i++) count += this.#chunks[i]?.length ?? 0;
    return count + this.#within(this.#chunks[at] ?? [], item);
  }

  /** Items in order, without the first `skipped`. The list must not change while they are read. */
  *items(skipped = 0): Generator<T, undefined> {
    let left = skipped;
    for (const chunk of this.#chunks) {
      for (let i = left; i < chunk.length; i++) {
        const item = chunk[i];
        if (item !== undefined) yield item;
      }
      left = Math.max(0, left - chunk.length);
    }
    return undefined;
  }

  /** Index of the first chunk with an item that does not come before `item`; their number when there is none. */
  #chunkOf(item: P): number {
    return lowest(this.#chunks.length, (i) => this.#isNotBefore(this.#chunks[i]?.at(-1), item));
  }

  #within(chunk: readonly T[], item: P): number {
    return lowest(chunk.length, (i) => this.#isNotBefore(chunk[i], item));
  }

  #isNotBefore(other: T | undefined, item: P): boolean {
    return other === undefined || !this.before(other, item);
  }
}

/** The lowest number below `end` for which `holds` is true, as it is for all above; `end` when there is none. */
function lowest(end: number, holds: (i: number) => boolean): number {
  let low = 0;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
