import { parentPort, type Transferable, type Worker } from 'node:worker_threads';
import { messageOf } from '../files/errno.js';

interface Question<Q> {
  id: number;
  question: Q;
}

/** `error` instead of `answer` when there is none. */
interface Reply<A> {
  id: number;
  answer?: A;
  error?: string;
}

interface Asker<A> {
  resolve: (answer: A) => void;
  reject: (error: Error) => void;
}

export interface AskedThreadOptions {
  /** As {@link startWorkerThread} does; what it starts is to {@link answerQuestions}. */
  start: () => Worker;
  /** A thread that was not asked for so long ends: it holds some megabytes. Milliseconds. */
  idleMs: number;
  /** One of this age ends at its next quiet moment. Milliseconds. */
  maxAgeMs?: number;
}

/** A worker thread that answers questions. It runs while it is asked, and keeps the process alive only as long as it has to answer. */
export class AskedThread<Q, A> {
  readonly #askers = new Map<number, Asker<A>>();
  #worker: Worker | undefined;
  #startedMs = 0;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 0;
  #isClosed = false;

  constructor(private readonly options: AskedThreadOptions) {}

  /** @throws Error when the thread says so, or has ended before it was done. */
  ask(question: Q): Promise<A> {
    if (this.#isClosed) return Promise.reject(new Error('the thread is closed'));
    const id = this.#nextId++;
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    return new Promise((resolve, reject) => {
      this.#askers.set(id, { resolve, reject });
      worker.postMessage({ id, question } satisfies Question<Q>);
    });
  }

  /** Ends the thread, also in the middle of an answer. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = this.options.start();
    this.#startedMs = performance.now();
    worker.on('message', ({ id, answer, error }: Reply<A>) => {
      if (error === undefined) this.#askers.get(id)?.resolve(answer as A);
      else this.#askers.get(id)?.reject(new Error(error));
      this.#askers.delete(id);
      if (this.#askers.size > 0) return;
      worker.unref();
      if (this.#worker === worker && !this.#isClosed) this.#endLater(worker);
    });
    let failure = new Error('the thread ended');
    worker.on('error', (error: Error) => (failure = error));
    worker.on('exit', () => {
      if (this.#worker !== worker && this.#worker !== undefined) return;
      this.#worker = undefined;
      for (const { reject } of this.#askers.values()) reject(failure);
      this.#askers.clear();
    });
    return worker;
  }

  #endLater(worker: Worker): void {
    const { idleMs, maxAgeMs = Infinity } = this.options;
    const isOld = performance.now() - this.#startedMs > maxAgeMs;
    const end = () => {
      this.#worker = undefined;
      void worker.terminate();
    };
    this.#idle = setTimeout(end, isOld ? 0 : idleMs).unref();
  }
}

/**
 * In a worker thread: answers what an {@link AskedThread} asks.
 * @param transfers what of an answer is handed over and not copied
 */
export function answerQuestions<Q, A>(
  answer: (question: Q) => A | Promise<A>,
  transfers: (answer: A) => Transferable[] = () => [],
): void {
  const reply = async ({ id, question }: Question<Q>) => {
    try {
      const answered = await answer(question);
      parentPort?.postMessage({ id, answer: answered } satisfies Reply<A>, transfers(answered));
    } catch (error) {
      parentPort?.postMessage({ id, error: messageOf(error) } satisfies Reply<A>);
    }
  };
  parentPort?.on('message', (question: Question<Q>) => void reply(question));
}
