/** One part of something that runs: how it is started from what was started before it, and how it is stopped. */
export interface Part<Needs, Made> {
  /** When it throws it has undone what it did: it is not stopped then. */
  start: (needs: Needs) => Made | Promise<Made>;
  stop?: (made: Made, needs: Needs) => void | Promise<void>;
}

interface Step {
  readonly name: string;
  /** @returns how it is stopped */
  readonly start: () => Promise<() => unknown>;
}

/**
 * Parts that are started in the order in which they are named, each with what those before it have made, and stopped in
 * the opposite order.
 */
export class Lifecycle<Built extends object> {
  readonly #built: Built;
  readonly #steps: Step[] = [];
  readonly #started: { name: string; stop: () => unknown }[] = [];
  #starting: Promise<Built | undefined> | undefined;
  #stopping: Promise<void> | undefined;

  /**
   * @param given what the first part starts from, and all others too
   * @param onNotStopped called with what {@link stop} would throw, where a start has failed: that throws its own reason
   */
  constructor(
    given: Built,
    private readonly onNotStopped: (error: unknown) => void,
  ) {
    this.#built = { ...given };
  }

  /** Adds the next part; what it makes is known to later ones under this name. */
  part<Name extends string, Made>(
    name: Name,
    { start, stop }: Part<Built, Made>,
  ): Lifecycle<Built & Record<Name, Made>> {
    const built = this.#built;
    this.#steps.push({
      name,
      start: async () => {
        const made = await start(built);
        Object.assign(built, { [name]: made });
        return () => stop?.(made, built);
      },
    });
    return this as unknown as Lifecycle<Built & Record<Name, Made>>;
  }

  /**
   * Starts one part after the other, once.
   * @returns what they have made; undefined when it was stopped meanwhile: the parts that are left are not started then
   * @throws what a part has thrown; those before it are stopped by then
   */
  start(): Promise<Built | undefined> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /**
   * Stops what was started, also when some of it fails, and only once the part that is being started is. The second call
   * waits for the first.
   * @throws AggregateError with what each part has thrown
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(): Promise<Built | undefined> {
    for (const { name, start } of this.#steps) {
      if (this.#stopping !== undefined) return undefined;
      try {
        this.#started.push({ name, stop: await start() });
      } catch (error) {
        await this.#stopStarted().catch(this.onNotStopped);
        throw error;
      }
    }
    return this.#stopping === undefined ? this.#built : undefined;
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    await this.#stopStarted();
  }

  async #stopStarted(): Promise<void> {
    const errors: unknown[] = [];
    const failed: string[] = [];
    for (const { name, stop } of this.#started.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        errors.push(error);
        failed.push(`${name}: ${String(error)}`);
      }
    }
    if (errors.length > 0)
      throw new AggregateError(errors, `could not stop everything: ${failed.join('; ')}`);
  }
}
