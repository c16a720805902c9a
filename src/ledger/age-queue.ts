/** What an {@link AgeQueue} orders by. */
interface Aged {
  submit_seq: number;
}

/**
 * Items in the order of `submit_seq`. New items are nearly always added at the end and the oldest is removed first. Removing
 * another one leaves a gap; once there are more gaps than items they are all closed, so that an operation costs the same
 * however many items wait.
 */
export class AgeQueue<T extends Aged> {
  #slots: { item: T; gone: boolean }[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    const slot = { item, gone: false };
    const last = this.#slots.at(-1);
    if (last === undefined || last.item.submit_seq < item.submit_seq) this.#slots.push(slot);
    else this.#slots.splice(this.#position(item.submit_seq), 0, slot);
    this.#size++;
  }

  /** Takes out the item with this `submit_seq`, which must be in the queue. */
  remove(submitSeq: number): void {
    for (let i = this.#position(submitSeq); i < this.#slots.length; i++) {
      const slot = this.#slots[i];
      if (slot === undefined || slot.gone || slot.item.submit_seq !== submitSeq) continue;
      slot.gone = true;
      this.#size--;
      break;
    }
    while (this.#slots[this.#head]?.gone === true) this.#head++;
    if (this.#slots.length > 2 * this.#size + 16) {
      this.#slots = this.#slots.filter((slot) => !slot.gone);
      this.#head = 0;
    }
  }

  oldest(): T | undefined {
    return this.#slots[this.#head]?.item;
  }

  /** How many items are older than this. */
  countBefore(submitSeq: number): number {
    const end = this.#position(submitSeq);
    const hasGaps = this.#slots.length - this.#head > this.#size;
    if (!hasGaps) return end - this.#head;
    let count = 0;
    for (let i = this.#head; i < end; i++) if (this.#slots[i]?.gone === false) count++;
    return count;
  }

  /** From the oldest on. The queue must not change meanwhile. */
  *items(): Generator<T, undefined> {
    for (let i = this.#head; i < this.#slots.length; i++) {
      const slot = this.#slots[i];
      if (slot?.gone === false) yield slot.item;
    }
    return undefined;
  }

  /** Index of the first slot, counted from the head, whose item is not older. */
  #position(submitSeq: number): number {
    let low = this.#head;
    let high = this.#slots.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#slots[middle]?.item.submit_seq ?? Infinity) < submitSeq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
