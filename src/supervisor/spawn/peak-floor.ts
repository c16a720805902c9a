/**
 * A process that shares our memory until its exec starts with our peak: what it is said to have used at most tells nothing
 * up to that.
 */
export class PeakFloor {
  #bytes = 0;

  /** @returns `bytes` where they are the process's own. */
  above(bytes: number): number | undefined {
    // Ours only grows: the last one that was asked for refuses all but a few without asking again.
    if (bytes > this.#bytes) this.#bytes = process.resourceUsage().maxRSS * 1024;
    return bytes > this.#bytes ? bytes : undefined;
  }
}
