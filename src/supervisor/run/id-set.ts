/** A set of whole numbers that takes memory per gap, not per number: the ids of attempts come nearly in sequence. */
export class IdSet {
  /** Disjoint, ascending, never adjacent; `first` and `last` are included. */
  readonly #intervals: { first: number; last: number }[] = [];

  has(id: number): boolean {
    const interval = this.#intervals[this.#indexFor(id)];
    return interval !== undefined && interval.first <= id;
  }

  add(id: number): void {
    const index = this.#indexFor(id);
    const at = this.#intervals[index];
    if (at !== undefined && at.first <= id) return;
    const before = this.#intervals[index - 1];
    const joinsBefore = before?.last === id - 1;
    const joinsAfter = at?.first === id + 1;
    if (joinsBefore && joinsAfter) {
      before.last = at.last;
      this.#intervals.splice(index, 1);
    } else if (joinsBefore) before.last = id;
    else if (joinsAfter) at.first = id;
    else this.#intervals.splice(index, 0, { first: id, last: id });
  }

  /** @returns the index of the first interval that does not end before `id`. */
  #indexFor(id: number): number {
    let low = 0;
    let high = this.#intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#intervals[middle]?.last ?? Infinity) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
