import fc from 'fast-check';

/** What becomes of one message. */
export interface Fate {
  /** 0: it is lost. */
  copies: number;
  /** Of the first copy and of the second. Milliseconds; what is sent after it can so come before it. */
  delays: [first: number, second: number];
}

const FAITHFUL: Fate = { copies: 1, delays: [0, 0] };

/** Loses, doubles, delays and so reorders what is sent through it, as it is told; faithful once it was told all. */
export class Chaos {
  #next = 0;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(private readonly fates: readonly Fate[]) {}

  /** @returns false when the message is lost */
  send(deliver: () => void): boolean {
    const { copies, delays } = this.fates[this.#next++] ?? FAITHFUL;
    for (const delay of delays.slice(0, copies)) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        deliver();
      }, delay);
      this.#timers.add(timer);
    }
    return copies > 0;
  }

  /** What is on its way never arrives. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

const delay = fc.integer({ min: 0, max: 12 });

export const anyFate: fc.Arbitrary<Fate> = fc.record({
  copies: fc.integer({ min: 0, max: 2 }),
  delays: fc.tuple(delay, delay),
});
