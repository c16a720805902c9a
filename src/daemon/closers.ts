type Closer = () => void | Promise<void>;

/** What has to be closed, in the opposite order of its making. */
export class Closers {
  readonly #closers: Closer[] = [];

  push(closer: Closer): void {
    this.#closers.push(closer);
  }

  /**
   * Calls all of them, one after the other, also when some fail: the store is closed and the lock released whatever
   * became of the rest. Does nothing the second time.
   * @throws AggregateError with what each of them threw
   */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0)
      throw new AggregateError(errors, `could not close everything: ${errors.map(String).join('; ')}`);
  }
}
