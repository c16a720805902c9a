import type { StoredSession } from '../../store/session-table.js';
import { ExecgoError } from '../../task/errors.js';
import type { Core } from '../core.js';
import { FileThread } from '../upkeep/file-thread.js';

/** After a look that nobody asked for, how many times as long as it took no other such comes. */
const REST = 10;

/** What the meter works with. */
type MeterCore = Pick<Core, 'store' | 'now' | 'log'> & { settings: Pick<Core['settings'], 'dataDir'> };

/**
 * Looks at the workspaces of sessions, in a thread of its own, so that no tree holds up the removal of files. At one workspace it looks
 * once at a time, whoever asks.
 */
export class StorageMeter {
  readonly #thread: FileThread;
  readonly #running = new Map<number, Promise<void>>();
  readonly #next = new Map<number, Promise<void>>();
  readonly #resting = new Set<number>();
  #isClosed = false;

  constructor(private readonly core: MeterCore) {
    this.#thread = new FileThread(core.settings.dataDir);
  }

  /**
   * Resolves when it is written down what was there at a time after this call.
   * @throws ExecgoError `conflict` when the workspace is not there; Error when the daemon stops
   */
  look(session: StoredSession): Promise<void> {
    const key = session.session_seq;
    const running = this.#running.get(key);
    if (running === undefined) return this.#begin(session);
    let next = this.#next.get(key);
    if (next === undefined) {
      const begin = () => {
        this.#next.delete(key);
        return this.#begin(session);
      };
      next = running.then(begin, begin);
      this.#next.set(key, next);
    }
    return next;
  }

  /** Looks behind the back of who asked, now and then. */
  lookLater(session: StoredSession): void {
    const key = session.session_seq;
    if (this.#running.has(key) || this.#resting.has(key)) return;
    this.#resting.add(key);
    const from = performance.now();
    const rest = () => {
      setTimeout(() => this.#resting.delete(key), REST * (performance.now() - from)).unref();
    };
    this.look(session).then(rest, (err: unknown) => {
      rest();
      if (!this.#isClosed && !(err instanceof ExecgoError))
        this.core.log.warn(
          { err, session_id: session.session_id },
          'the workspace of a session cannot be measured',
        );
    });
  }

  /** Ends the thread, also in the middle of a tree. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#thread.close();
  }

  #begin(session: StoredSession): Promise<void> {
    const key = session.session_seq;
    const done = this.#look(session).finally(() => {
      this.#running.delete(key);
    });
    this.#running.set(key, done);
    return done;
  }

  async #look({ session_id, session_seq }: StoredSession): Promise<void> {
    const { store, now } = this.core;
    // From before the look: what happens meanwhile may be in it or not.
    const changes = store.sessions.of(session_id)?.changes ?? 0;
    const [tree] = await this.#thread.ask('digest', [session_id]);
    if (tree === undefined)
      throw new ExecgoError(
        'conflict',
        `the workspace of session ${session_id} is not there; its next task makes it again`,
        { session_id },
      );
    await store.commits.writeAlong(() =>
      store.sessions.storage.save(session_seq, { ...tree, changes, measured_at_ms: now() }),
    );
  }
}
