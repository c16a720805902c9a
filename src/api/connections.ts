import type { Socket } from 'node:net';

/**
 * What a connection is doing: sending its first head; between two requests; being sent an answer; sending a body; waiting
 * for something to happen; and `working`, which takes no longer than the daemon does.
 */
export type ConnectionState = 'opening' | 'idle' | 'answering' | 'receiving' | 'holding' | 'working';

/** Whom a newcomer takes the place of, the one that costs its client least first; of each kind the longest there. */
const LEAVING = ['opening', 'idle', 'answering', 'receiving', 'holding'] as const;

/**
 * An answer and a body get at least this long, in milliseconds, before their connection has to leave; unless there are
 * {@link OVERFLOW} times as many connections as there may be.
 */
const IN_PROGRESS_MS = 1_000;
const OVERFLOW = 1.25;

interface Entry {
  state: ConnectionState;
  /** On the clock of `performance.now()`. */
  sinceMs: number;
  /** Ends what it waits for, so that it is answered as things are. */
  release: (() => void) | undefined;
}

/**
 * All connections there are: at most `max`, and a quarter more while some are on their way out. One more always gets in,
 * so that nobody can keep an operator out by holding connections: in the place of one that has not sent a request, else of
 * one that is idle, slow or waits.
 */
export class Connections {
  readonly #max: number;
  readonly #entries = new Map<Socket, Entry>();
  readonly #inState: Readonly<Record<ConnectionState, Set<Socket>>> = {
    opening: new Set(),
    idle: new Set(),
    answering: new Set(),
    receiving: new Set(),
    holding: new Set(),
    working: new Set(),
  };

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes a new connection in. Only where all others, and a quarter more, are being worked for it is cut off. */
  admit(socket: Socket): void {
    if (this.#entries.size >= this.#max && !this.#makeRoom() && this.#isCrowded()) {
      socket.destroy();
      return;
    }
    this.#entries.set(socket, { state: 'opening', sinceMs: performance.now(), release: undefined });
    this.#inState.opening.add(socket);
    socket.once('close', () => {
      this.#forget(socket);
    });
  }

  /** Says what a connection does from now on. @param release needed for `holding` */
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
        // Its end is told in a later turn; by then it must not have made room for several.
        this.#forget(socket);
        socket.destroy();
      }
      return true;
    }
    return false;
  }

  #isCrowded(): boolean {
    return this.#entries.size >= this.#max * OVERFLOW;
  }

  #forget(socket: Socket): void {
    const state = this.#entries.get(socket)?.state;
    if (state !== undefined) this.#inState[state].delete(socket);
    this.#entries.delete(socket);
  }
}
