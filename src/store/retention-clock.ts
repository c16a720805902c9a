/** A time of the retention clock, with the times of the other clocks at that moment. Milliseconds. */
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
  /** Time since boot, including the time that the machine slept; nobody can set it. */
  uptimeMs: () => number;
  /** Differs from boot to boot; empty if there is none. */
  bootId: string;
}

/**
 * The clock that measures the age of results. It starts with the wall clock's time and then advances with the uptime of the
 * machine, even while no daemon runs, so that setting the wall clock makes nothing older. After a reboot only the wall clock
 * can tell how long the machine was off, and it is believed if it went forward. The clock never goes back.
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

  /** In milliseconds; only differences between two times have a meaning. */
  now(): number {
    const uptime = this.sources.uptimeMs();
    this.#clockMs += Math.max(0, uptime - this.#uptimeMs);
    this.#uptimeMs = uptime;
    return Math.floor(this.#clockMs);
  }

  /** The mark to save, from which the next {@link RetentionClock} goes on. */
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
