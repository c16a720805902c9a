import { AskedThread } from '../../binary/asked-thread.js';
import { startWorkerThread } from '../../binary/worker-thread.js';
import type { Log } from '../log.js';
import type { DiskSpec } from '../wire/protocol.js';
import type { Space } from './disk-worker.js';

/** From a start to the first look, and from one look to the next at least. Milliseconds. */
const FIRST_MS = 200;
const EVERY_MS = 1000;
/** A look that takes long comes less often: looking takes a tenth of the time, but comes at least this often. */
const REST = 10;
const SELDOM_MS = 60_000;
/** How many workspaces are looked at at once: each may hold many descriptors. */
const AT_ONCE = 4;
/** The thread ends when nobody has asked for so long. Milliseconds. */
const IDLE_MS = 10_000;

/** Measures workspaces, in a thread of its own: no file system holds up an end, a kill or a deadline. */
export class DiskMeter {
  readonly #thread = new AskedThread<DiskSpec, Space>({
    start: () => startWorkerThread(new URL('./disk-worker.js', import.meta.url)),
    idleMs: IDLE_MS,
  });
  readonly #waiting: (() => void)[] = [];
  #looks = 0;

  /** @throws Error when the thread has died */
  async measure(spec: DiskSpec): Promise<Space> {
    if (this.#looks >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#looks++;
    try {
      return await this.#thread.ask(spec);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#looks--;
      else next();
    }
  }
}

/** Looks at the workspace of one task again and again, until it is told to end. */
export class DiskWatch {
  #timer: NodeJS.Timeout;
  #isOver = false;

  /** @param tooMuch called after each look that finds too much */
  constructor(
    private readonly meter: DiskMeter,
    private readonly spec: DiskSpec,
    private readonly tooMuch: (space: Space) => void,
    private readonly log: Log,
  ) {
    this.#timer = setTimeout(() => void this.#look(), FIRST_MS);
  }

  cancel(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const begunAt = performance.now();
    try {
      const isTooMuch = (space: Space) => space.bytes > this.spec.max_bytes || space.too_deep === true;
      let space = await this.meter.measure(this.spec);
      // What is moved while it is measured may be counted twice: the second time it is not.
      if (isTooMuch(space) && !this.#isOver) space = await this.meter.measure(this.spec);
      if (isTooMuch(space) && !this.#isOver) this.tooMuch(space);
    } catch (error) {
      this.log('a workspace cannot be measured', { error: String(error) });
    }
    if (this.#isOver) return;
    const tookMs = performance.now() - begunAt;
    const restMs = Math.min(Math.max(EVERY_MS, REST * tookMs), SELDOM_MS);
    this.#timer = setTimeout(() => void this.#look(), restMs);
  }
}
