import dns, { type LookupAddress } from 'node:dns';

/** How long a name rests that took longer than those who asked for it could wait, in milliseconds. */
const REST_MS = 60_000;

interface Asker {
  resolve: (found: LookupAddress[]) => void;
  reject: (error: Error) => void;
}

export interface LookupOptions {
  lookup?: typeof dns.lookup;
  /** In milliseconds, from any point on; nobody sets it. */
  steady?: () => number;
}

/**
 * Looks names up as the system does, `/etc/hosts` included. Such a lookup holds one of the few threads on which the daemon also reads files, cannot be broken off, and takes up to half a
 * minute where a name server says nothing. So there is one at a time; who asks for the same name shares it; and a name that nobody could wait for rests for a while, so that it does not keep others waiting.
 */
export class Lookups {
  readonly #askers = new Map<string, Set<Asker>>();
  readonly #restsUntil = new Map<string, number>();
  readonly #lookup: typeof dns.lookup;
  readonly #steady: () => number;
  #running: string | undefined;

  constructor({ lookup = dns.lookup, steady = () => performance.now() }: LookupOptions = {}) {
    this.#lookup = lookup;
    this.#steady = steady;
  }

  /**
   * All addresses of a name.
   * @param signal aborts when it is not waited for any more
   * @throws the system's error; Error for a name that rests; the signal's reason
   */
  find(name: string, signal: AbortSignal): Promise<LookupAddress[]> {
    if ((this.#restsUntil.get(name) ?? -Infinity) > this.#steady())
      return Promise.reject(new Error('the name of the host could not be looked up in time, a moment ago'));
    return new Promise((resolve, reject) => {
      const askers = this.#askers.get(name) ?? new Set();
      this.#askers.set(name, askers);
      const asker: Asker = { resolve, reject };
      askers.add(asker);
      signal.addEventListener(
        'abort',
        () => {
          if (!askers.delete(asker)) return;
          if (askers.size === 0) this.#abandon(name);
          reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
        },
        { once: true },
      );
      this.#next();
    });
  }

  /** Nobody waits for it any more: one that has not begun does not begin. */
  #abandon(name: string): void {
    if (this.#running === name) this.#restsUntil.set(name, this.#steady() + REST_MS);
    this.#askers.delete(name);
  }

  #next(): void {
    if (this.#running !== undefined) return;
    const [next] = this.#askers.keys();
    if (next === undefined) return;
    this.#running = next;
    this.#lookup(next, { all: true }, (error, found) => {
      this.#running = undefined;
      const askers = this.#askers.get(next) ?? [];
      this.#askers.delete(next);
      for (const { resolve, reject } of askers) {
        if (error === null) resolve(found);
        else reject(error);
      }
      this.#forget();
      this.#next();
    });
  }

  #forget(): void {
    for (const [name, until] of this.#restsUntil) if (until <= this.#steady()) this.#restsUntil.delete(name);
  }
}
