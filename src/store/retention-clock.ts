/** A reading of the retention clock with what stood on the other clocks then. Milliseconds. */
export interface ClockMark {
  clock_ms: number;
  wall_ms: number;
  uptime_ms: number;
  boot_id: string;
}

/** The clocks of a machine. Milliseconds. */
export interface ClockSources {
  /** Unix time; may be set at any moment. */
  wallMs: () => number;
  /** Time since boot, also the part that was slept; nobody can set it. */
  uptimeMs: () => number;
  /** Differs from boot to boot; empty where there is none. */
  bootId: string;
}

/**
 * The clock by which the age of results is told. It begins with the wall clock and then goes on with the uptime of the
 * machine, also while no daemon runs, so that setting the wall clock makes nothing older. Across a boot only the wall
 * clock can tell how long the machine was off; it is believed as far as it went forward. Never goes back.
 */
export class RetentionClock {
  #clockMs: number;
  #uptimeMs: number;

  /** @param mark the last one that was saved; undefined for a new database */
  constructor(
    mark: ClockMark | undefined,
    private readonly sources: ClockSources,
  ) {
    this.#uptimeMs = sources.uptimeMs();
    this.#clockMs = mark === undefined ? sources.wallMs() : mark.clock_ms + this.#passedSince(mark);
  }

  /** Milliseconds; only the difference of two readings means anything. */
  now(): number {
    const uptime = this.sources.uptimeMs();
    this.#clockMs += Math.max(0, uptime - this.#uptimeMs);
    this.#uptimeMs = uptime;
    return Math.floor(this.#clockMs);
  }

  /** What the next {@link RetentionClock} goes on from. */
  mark(): ClockMark {
    const clock_ms = this.now();
    const { wallMs, bootId } = this.sources;
    return { clock_ms, wall_ms: wallMs(), uptime_ms: this.#uptimeMs, boot_id: bootId };
  }

  #passedSince(mark: ClockMark): number {
    const sameBoot = mark.boot_id === this.sources.bootId && this.#uptimeMs >= mark.uptime_ms;
    return Math.max(0, sameBoot ? this.#uptimeMs - mark.uptime_ms : this.sources.wallMs() - mark.wall_ms);
  }
}
