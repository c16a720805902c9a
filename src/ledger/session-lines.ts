import { Ordered } from './ordered.js';

/** A task that waits for its turn in a session. */
interface InLine {
  task_id: string;
  /** Unique; of those that wait the one with the lower number has its turn first. */
  submit_seq: number;
}

interface Session<T extends InLine> {
  /** Tasks that have their turn, whether they run or wait for room, and since when on the clock of who gave it. */
  turns: Map<string, number>;
  line: Ordered<T>;
}

/** What a task in a line waits for. */
export interface SessionWait {
  session: string;
  /** How many of the session may have their turn at once. */
  limit: number;
  /** How many of the line come before it. */
  ahead: number;
  /** Those that have their turn. */
  turns: string[];
}

/**
 * The order in which tasks of a session have their turn: by submission, as many at once as the session says. Only a task that has its
 * turn waits for room with all others, so that a line, however long it is, costs a decision nothing and delays nobody. A task keeps its
 * turn until it has ended, also between its attempts.
 */
export class SessionLines<T extends InLine> {
  readonly #sessions = new Map<string, Session<T>>();
  readonly #sessionOf = new Map<string, string>();
  /** Tasks in a line. */
  readonly #waiting = new Map<string, T>();

  /** @param limitOf how many tasks of a session may have their turn at once, at least 1 */
  constructor(private readonly limitOf: (session: string) => number) {}

  /** How many tasks are in lines. */
  get size(): number {
    return this.#waiting.size;
  }

  /** True for a task that is in a line. */
  waits(taskId: string): boolean {
    return this.#waiting.has(taskId);
  }

  /**
   * A task could start, if it had its turn.
   * @returns true when it has; otherwise it is in the line from now on
   */
  enter(session: string, task: T, now: number): boolean {
    const { turns, line } = this.#session(session);
    if (turns.has(task.task_id)) return true;
    if (this.#waiting.has(task.task_id)) return false;
    this.#sessionOf.set(task.task_id, session);
    if (turns.size < this.limitOf(session)) {
      turns.set(task.task_id, now);
      return true;
    }
    line.add(task);
    this.#waiting.set(task.task_id, task);
    return false;
  }

  /** A task has its turn already: it has run since before a restart. */
  hold(session: string, taskId: string, now: number): void {
    this.#sessionOf.set(taskId, session);
    this.#session(session).turns.set(taskId, now);
  }

  /** Keeps the turn of a task that is between two attempts; after a restart it gets one, if one is left. */
  keep(session: string, taskId: string, now: number): void {
    const { turns } = this.#session(session);
    if (!turns.has(taskId) && turns.size < this.limitOf(session)) this.hold(session, taskId, now);
    this.#forgetUnused(session);
  }

  /** Takes a task out of its line, to change it or to end it; one that has its turn keeps it. */
  withdraw(taskId: string): void {
    const task = this.#waiting.get(taskId);
    const session = this.#sessionOf.get(taskId);
    if (task === undefined || session === undefined) return;
    this.#waiting.delete(taskId);
    this.#sessionOf.delete(taskId);
    this.#sessions.get(session)?.line.remove(task);
    this.#forgetUnused(session);
  }

  /** A task is over, wherever it was. @returns those that have their turn now */
  leave(taskId: string, now: number): T[] {
    this.withdraw(taskId);
    const session = this.#sessionOf.get(taskId);
    if (session === undefined) return [];
    this.#sessionOf.delete(taskId);
    this.#sessions.get(session)?.turns.delete(taskId);
    return this.advance(session, now);
  }

  /** To be called when more of a session may have their turn. @returns those that have it now */
  advance(session: string, now: number): T[] {
    const found = this.#sessions.get(session);
    if (found === undefined) return [];
    const { turns, line } = found;
    const next: T[] = [];
    const limit = this.limitOf(session);
    while (turns.size < limit) {
      const { first } = line;
      if (first === undefined) break;
      line.remove(first);
      this.#waiting.delete(first.task_id);
      turns.set(first.task_id, now);
      next.push(first);
    }
    this.#forgetUnused(session);
    return next;
  }

  /** Since when a task has its turn; undefined when it has not. */
  turnSince(taskId: string): number | undefined {
    const session = this.#sessionOf.get(taskId);
    return session === undefined ? undefined : this.#sessions.get(session)?.turns.get(taskId);
  }

  /** Undefined for a task that is in no line. Costs the same however long the line is. */
  waitOf(taskId: string): SessionWait | undefined {
    const task = this.#waiting.get(taskId);
    const session = this.#sessionOf.get(taskId);
    const found = session === undefined ? undefined : this.#sessions.get(session);
    if (task === undefined || session === undefined || found === undefined) return undefined;
    const { line, turns } = found;
    return { session, limit: this.limitOf(session), ahead: line.position(task), turns: [...turns.keys()] };
  }

  /** The tasks of a session that have their turn, in the order in which they got it. */
  turnsOf(session: string): string[] {
    return [...(this.#sessions.get(session)?.turns.keys() ?? [])];
  }

  #session(name: string): Session<T> {
    let session = this.#sessions.get(name);
    if (session === undefined) {
      const line = new Ordered<T>((a, b) => a.submit_seq < b.submit_seq);
      this.#sessions.set(name, (session = { turns: new Map(), line }));
    }
    return session;
  }

  #forgetUnused(name: string): void {
    const session = this.#sessions.get(name);
    if (session?.turns.size === 0 && session.line.size === 0) this.#sessions.delete(name);
  }
}
