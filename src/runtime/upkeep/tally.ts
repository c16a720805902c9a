/** Counts names and keeps the first of them: there may be a million, and nobody reads more than a few. */
export class Tally {
  readonly first: string[] = [];
  #count = 0;

  /** @param named how many names are kept */
  constructor(private readonly named: number) {}

  get count(): number {
    return this.#count;
  }

  add(name: string): void {
    this.#count++;
    if (this.first.length < this.named) this.first.push(name);
  }
}
