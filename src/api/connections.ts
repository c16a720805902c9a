import type { Socket } from 'node:net';

/**
 * What a connection is doing: sending its first head; between two requests; being sent an answer; sending a body; waiting
 * for something to happen; and `working`, when only the daemon has something to do.
 */
export type ConnectionState = 'opening' | 'idle' | 'answering' | 'receiving' | 'holding' | 'working';

/**
 * Which connection is closed for a new one: first those whose loss costs the client least; of each kind the one that has
 * been in that state the longest.
 */
const LEAVING = ['opening', 'idle', 'answering', 'receiving', 'holding'] as const;

/**
 * How long an answer or a body may take before its connection can be closed for a new one, in milliseconds; unless there are
 * {@link OVERFLOW} times as many connections as allowed.
 */
const IN_PROGRESS_MS = 1_000;
const OVERFLOW = 1.25;

interface Entry {
  state: ConnectionState;
  /** In the time of `performance.now()`. */
  sinceMs: number;
  /** Ends the wait, so that the request is answered with what there is. */
  release: (() => void) | undefined;
}

/**
 * All connections: at most `max`, and a quarter more while some are being closed. A new one always gets in, so that nobody
 * can keep an operator out by holding connections: another one is closed for it, one that has not sent a request yet, or
 * else one that is idle, slow or waiting.
 */
export class Connections {
  readonly #entries = new Map<Socket, Entry>();
  readonly #inState: Readonly<Record<ConnectionState, Set<Socket>>> = {
    opening: new Set(),
    idle: new Set(),
    answering: new Set(),
    receiving: new Set(),
    holding: new Set(),
    working: new Set(),
  };

  constructor(private readonly max: number) {}

  /** Accepts a new connection. It is closed only when all others, and a quarter more, are `working`. */
  admit(socket: Socket): void {
    if (this.#entries.size >= this.max && !this.#makeRoom() && this.#isCrowded()) {
      socket.destroy();
      return;
    }
    this.#entries.set(socket, { state: 'opening', sinceMs: performance.now(), release: undefined });
    this.#inState.opening.add(socket);
    socket.once('close', () => {
      this.#forget(socket);
    });
  }

  /** Records what a connection does from now on. @param release needed for `holding` */
  enter(socket: Socket, state: ConnectionState, release?: () => void): void {
    const entry = this.#entries.get(socket);
    if (entry === undefined) return;
    this.#inState[entry.state].delete(socket);
    this.#inState[state].add(socket);
    entry.state = state;
    entry.sinceMs = performance.now();
    entry.release = release;
  }

  #makeRoom(): boolean {
    const isCrowded = this.#isCrowded();
    for (const state of LEAVING) {
      const [socket] = this.#inState[state];
      if (socket === undefined) continue;
      const entry = this.#entries.get(socket);
      const inProgress = state === 'answering' || state === 'receiving';
      if (inProgress && !isCrowded && performance.now() - (entry?.sinceMs ?? 0) < IN_PROGRESS_MS) continue;
      if (state === 'holding' && !isCrowded) {
        const release = entry?.release;
        this.enter(socket, 'answering');
        release?.();
      } else {
        // Its `close` event comes in a later turn; it must not make room for several connections until then.
        this.#forget(socket);
        socket.destroy();
      }
      return true;
    }
    return false;
  }

  #isCrowded(): boolean {
    return this.#entries.size >= this.max * OVERFLOW;
  }

  #forget(socket: Socket): void {
    const state = this.#entries.get(socket)?.state;
    if (state !== undefined) this.#inState[state].delete(socket);
    this.#entries.delete(socket);
  }
}
