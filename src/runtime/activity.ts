/** How many tasks of a queue started and ended. */
export interface Pace {
  started: number;
  ended: number;
}

const SECONDS = 60;

interface Second {
  /** Which second it is, of the steady clock. */
  at: number;
  byQueue: Map<string, Pace>;
}

/** How many tasks of each queue started and ended in the last minute. What is older is forgotten, with its queue. */
export class Activity {
  readonly #seconds: Second[] = Array.from({ length: SECONDS }, () => ({
    at: -Infinity,
    byQueue: new Map(),
  }));

  /** @param steady milliseconds of a clock that is never set */
  constructor(private readonly steady: () => number) {}

  note(queue: string, what: keyof Pace): void {
    const at = this.#now();
    const second = this.#seconds[at % SECONDS];
    if (second === undefined) return;
    if (second.at !== at) {
      second.at = at;
      second.byQueue = new Map();
    }
    const pace = second.byQueue.get(queue) ?? { started: 0, ended: 0 };
    pace[what]++;
    second.byQueue.set(queue, pace);
  }

  /** @param queue undefined: of all */
  lastMinute(queue: string | undefined): Pace {
    const since = this.#now() - SECONDS;
    const sum: Pace = { started: 0, ended: 0 };
    for (const { at, byQueue } of this.#seconds) {
      if (at <= since) continue;
      for (const pace of queue === undefined ? byQueue.values() : [byQueue.get(queue)]) {
        sum.started += pace?.started ?? 0;
        sum.ended += pace?.ended ?? 0;
      }
    }
    return sum;
  }

  #now(): number {
    return Math.floor(this.steady() / 1000);
  }
}
