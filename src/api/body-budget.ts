/** This much of each body is not counted, so that many small bodies need not wait for a few large ones. Bytes. */
const UNCOUNTED_BYTES = 65_536;

/** A body that has been arriving for this long is dropped when another one needs its room. Milliseconds. */
const PATIENCE_MS = 10_000;

/** The room that one body takes. */
interface Share {
  counted: number;
  sinceMs: number;
  /** Drops the part that has arrived; undefined once the body is complete. */
  cut: (() => void) | undefined;
}

/** Limits the bytes of all bodies that are held at once, including those that are still arriving, to `maxBytes`. */
export class BodyBudget {
  readonly #shares = new Set<Share>();
  #counted = 0;

  /** @param patienceMs how long a body may be arriving before it can be dropped for others; 10,000 by default */
  constructor(
    private readonly maxBytes: number,
    private readonly patienceMs = PATIENCE_MS,
  ) {}

  /** @param cut drops the part that has arrived, when others need the room */
  open(cut: () => void): Share {
    const share = { counted: 0, sinceMs: performance.now(), cut };
    this.#shares.add(share);
    return share;
  }

  /** @param bytes how long the body is by now. @returns false when there is no room for it */
  grow(share: Share, bytes: number): boolean {
    const more = Math.max(0, bytes - UNCOUNTED_BYTES) - share.counted;
    while (this.#counted + more > this.maxBytes) {
      const slowest = [...this.#shares].find((s) => s !== share && s.cut !== undefined && s.counted > 0);
      if (slowest === undefined || performance.now() - slowest.sinceMs < this.patienceMs) return false;
      const { cut } = slowest;
      this.close(slowest);
      cut?.();
    }
    share.counted += more;
    this.#counted += more;
    return true;
  }

  /** To be called when the body is complete: from now on it is kept until {@link close}. */
  complete(share: Share): void {
    share.cut = undefined;
  }

  /** To be called when the body is not needed any more. */
  close(share: Share): void {
    this.#shares.delete(share);
    this.#counted -= share.counted;
    share.counted = 0;
  }
}
