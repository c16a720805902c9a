/** So much of each body is not counted: the many small ones must not wait for a few large ones. Bytes. */
const UNCOUNTED_BYTES = 65_536;

/** A body that has been coming for so long has to leave when there is no room for another. Milliseconds. */
const PATIENCE_MS = 10_000;

/** What one body holds. */
interface Share {
  counted: number;
  sinceMs: number;
  /** Drops what has come of it; undefined once all of it has. */
  cut: (() => void) | undefined;
}

/** Bytes of all bodies that are held at once, those that have not come in full among them: at most `maxBytes` are. */
export class BodyBudget {
  readonly #maxBytes: number;
  readonly #patienceMs: number;
  readonly #shares = new Set<Share>();
  #counted = 0;

  /** @param patienceMs how long a body may be coming before it leaves for others; 10,000 by default */
  constructor(maxBytes: number, patienceMs = PATIENCE_MS) {
    this.#maxBytes = maxBytes;
    this.#patienceMs = patienceMs;
  }

  /** @param cut drops what has come, when others need the room */
  open(cut: () => void): Share {
    const share = { counted: 0, sinceMs: performance.now(), cut };
    this.#shares.add(share);
    return share;
  }

  /** @param bytes how long the body is by now. @returns false when there is no room for it */
  grow(share: Share, bytes: number): boolean {
    const more = Math.max(0, bytes - UNCOUNTED_BYTES) - share.counted;
    while (this.#counted + more > this.#maxBytes) {
      const slowest = [...this.#shares].find((s) => s !== share && s.cut !== undefined && s.counted > 0);
      if (slowest === undefined || performance.now() - slowest.sinceMs < this.#patienceMs) return false;
      const { cut } = slowest;
      this.close(slowest);
      cut?.();
    }
    share.counted += more;
    this.#counted += more;
    return true;
  }

  /** All of it has come; from now on it stays until it is {@link close}d. */
  complete(share: Share): void {
    share.cut = undefined;
  }

  /** It is held no longer. */
  close(share: Share): void {
    this.#shares.delete(share);
    this.#counted -= share.counted;
    share.counted = 0;
  }
}
