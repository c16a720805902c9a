import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'node:net';
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
/** How many bytes of answers an attempt may have that it does not read, before it is refused more. */
const UNREAD_MAX_BYTES = 1_048_576;
/** How many bytes, sent and received, take as much time as a millisecond of the turn. */
const BYTES_EACH_MS = 16_384;
/** How much time each request takes that is refused because nobody knows who asks, in milliseconds, for all of them together. */
const STRANGER_MS = 50;
/** From so many attempts on it is looked whether all are still needed. */
const SWEEP_FROM = 1_000;

interface Turns {
  /** When the next request has its turn, in the time of `performance.now()`. */
  nextMs: number;
  underWay: Set<Response>;
}

/** How often each attempt may ask, so that no task keeps the daemon from its work or has the connections of others. */
export class Pace {
  readonly #attempts = new Map<number, Turns>();
  /** How many bytes of a connection are charged for. */
  readonly #charged = new WeakMap<Socket, number>();
  #nextStrangerMs = 0;

  #sweepFrom = SWEEP_FROM;

  constructor(private readonly connections: Connections) {}

  /**
   * Waits for the turn of a request.
   * @throws ExecgoError `resource_limit_exceeded` when the attempt asks far too often, or too much at once
   */
  async turn(launchId: number, res: Response): Promise<void> {
    const turns = this.#enter(launchId, res);
    if (turns.underWay.size > AT_ONCE) {
      res.shouldKeepAlive = false;
      throw tooMany(`at most ${AT_ONCE} requests of a task are answered at once`);
    }
    const now = performance.now();
    const at = Math.max(turns.nextMs, now - SAVED * EACH_MS);
    const isRefused = at - now > PATIENCE_MS;
    if (!isRefused) turns.nextMs = at + EACH_MS;
    const waitMs = Math.min(at - now, PATIENCE_MS);
    await this.#wait(waitMs, res);
    if (isRefused) throw tooMany(`a task may ask ${1_000 / EACH_MS} times a second, less often for much`);
    if (unreadBytes(turns) > UNREAD_MAX_BYTES) {
      res.shouldKeepAlive = false;
      throw tooMany(`a task has to read its answers: ${UNREAD_MAX_BYTES} bytes of them wait`);
    }
  }

  /** Waits, up to a second, before somebody is refused who is not known, and has the connection closed after that. */
  async stranger(res: Response): Promise<void> {
    const now = performance.now();
    const at = Math.max(this.#nextStrangerMs, now - SAVED * STRANGER_MS);
    this.#nextStrangerMs = Math.min(at + STRANGER_MS, now + PATIENCE_MS);
    res.shouldKeepAlive = false;
    await this.#wait(at - now, res);
  }

  async #wait(waitMs: number, res: Response): Promise<void> {
    if (waitMs <= 0) return;
    const { socket } = res.req;
    // Another connection may have its place meanwhile.
    this.connections.enter(socket, 'receiving');
    await delay(waitMs);
    this.connections.enter(socket, 'working');
  }

  #enter(launchId: number, res: Response): Turns {
    if (this.#attempts.size >= this.#sweepFrom) this.#sweep();
    const turns = this.#attempts.get(launchId) ?? { nextMs: 0, underWay: new Set<Response>() };
    this.#attempts.set(launchId, turns);
    turns.underWay.add(res);
    const { socket } = res.req;
    res.once('close', () => {
      turns.underWay.delete(res);
      this.#charge(turns, socket);
    });
    return turns;
  }

  /** What is long takes more of the turn. */
  #charge(turns: Turns, socket: Socket): void {
    const bytes = socket.bytesRead + socket.bytesWritten;
    const more = bytes - (this.#charged.get(socket) ?? 0);
    this.#charged.set(socket, bytes);
    turns.nextMs += more / BYTES_EACH_MS;
  }

  /** Forgets those that could ask as if they never had. */
  #sweep(): void {
    const now = performance.now();
    for (const [launchId, { nextMs, underWay }] of this.#attempts)
      if (underWay.size === 0 && nextMs <= now - SAVED * EACH_MS) this.#attempts.delete(launchId);
    this.#sweepFrom = Math.max(SWEEP_FROM, 2 * this.#attempts.size);
  }
}

function unreadBytes({ underWay }: Turns): number {
  return [...underWay].reduce((sum, res) => sum + res.writableLength, 0);
}

function tooMany(why: string): ExecgoError {
  return new ExecgoError('resource_limit_exceeded', `${why}: try again later`, { bound: 'task_requests' });
}
