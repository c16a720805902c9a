import { setTimeout as delay } from 'node:timers/promises';
import type { Response } from 'express';
import { ExecgoError } from '../../task/errors.js';
import type { Connections } from '../connections.js';

/** How much time one request of a task takes of its turn, in milliseconds, and how many it may have saved up. */
const EACH_MS = 10;
const SAVED = 100;
/** How long a request waits for its turn before it is refused, in milliseconds: who asks too often is slowed down first. */
const PATIENCE_MS = 1_000;
/** How many requests of one attempt may be under way at once. */
const AT_ONCE = 32;
/** From so many attempts on it is looked whether all are still needed. */
const SWEEP_FROM = 1_000;

interface Turns {
  /** When the next request has its turn, in the time of `performance.now()`. */
  nextMs: number;
  underWay: number;
}

/** How often each attempt may ask, so that no task keeps the daemon from its work or has the connections of others. */
export class Pace {
  readonly #attempts = new Map<number, Turns>();

  #sweepFrom = SWEEP_FROM;

  constructor(private readonly connections: Connections) {}

  /**
   * Waits for the turn of a request.
   * @throws ExecgoError `resource_limit_exceeded` when the attempt asks far too often, or too much at once
   */
  async turn(launchId: number, res: Response): Promise<void> {
    const turns = this.#enter(launchId, res);
    if (turns.underWay > AT_ONCE) {
      res.shouldKeepAlive = false;
      throw tooMany(`at most ${AT_ONCE} requests of a task are answered at once`);
    }
    const now = performance.now();
    const at = Math.max(turns.nextMs, now - SAVED * EACH_MS);
    const isRefused = at - now > PATIENCE_MS;
    if (!isRefused) turns.nextMs = at + EACH_MS;
    const waitMs = Math.min(at - now, PATIENCE_MS);
    if (waitMs > 0) {
      const { socket } = res.req;
      // Another connection may have its place meanwhile.
      this.connections.enter(socket, 'receiving');
      await delay(waitMs);
      this.connections.enter(socket, 'working');
    }
    if (isRefused) throw tooMany(`a task may ask ${1_000 / EACH_MS} times a second`);
  }

  #enter(launchId: number, res: Response): Turns {
    if (this.#attempts.size >= this.#sweepFrom) this.#sweep();
    const turns = this.#attempts.get(launchId) ?? { nextMs: 0, underWay: 0 };
    this.#attempts.set(launchId, turns);
    turns.underWay++;
    res.once('close', () => turns.underWay--);
    return turns;
  }

  /** Forgets those that could ask as if they never had. */
  #sweep(): void {
    const now = performance.now();
    for (const [launchId, { nextMs, underWay }] of this.#attempts)
      if (underWay === 0 && nextMs <= now - SAVED * EACH_MS) this.#attempts.delete(launchId);
    this.#sweepFrom = Math.max(SWEEP_FROM, 2 * this.#attempts.size);
  }
}

function tooMany(why: string): ExecgoError {
  return new ExecgoError('resource_limit_exceeded', `${why}: try again later`);
}
