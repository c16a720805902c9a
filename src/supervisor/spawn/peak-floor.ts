/**
 * Decides whether a reported memory peak is the process's own. A process that shares our memory until its exec begins with
 * our peak, so a reported peak up to that says nothing.
 */
export class PeakFloor {
  #bytes = 0;

  /** @returns `bytes` if that is the process's own peak. */
  above(bytes: number): number | undefined {
    // Our peak only grows: a value below the last one needs no further call.
    if (bytes > this.#bytes) this.#bytes = process.resourceUsage().maxRSS * 1024;
    return bytes > this.#bytes ? bytes : undefined;
  }
}
