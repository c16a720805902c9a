/** How many there are of each kind; a kind of which there are none costs nothing. */
export class CountByKey<K> {
  readonly #counts = new Map<K, number>();

  add(key: K): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  /** Takes away one that was added. */
  delete(key: K): void {
    const left = this.of(key) - 1;
    if (left <= 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }

  of(key: K): number {
    return this.#counts.get(key) ?? 0;
  }
}
