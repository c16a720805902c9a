import { Worker } from 'node:worker_threads';

/** Longer texts are encoded by the worker: from about here they hold up other requests for more than a millisecond. */
const WORKER_BYTES = 65_536;

/** Kept as text, so that it works from any place the program is installed to, in whatever form. */
const WORKER_SOURCE = `
const { parentPort } = require('node:worker_threads');
parentPort.on('message', ({ id, bytes }) => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const encoded = new TextEncoder().encode(JSON.stringify(text));
  parentPort.postMessage({ id, encoded }, [encoded.buffer]);
});`;

interface Job {
  bytes: Buffer;
  resolve: (encoded: Buffer) => void;
}

interface Reply {
  id: number;
  encoded: Uint8Array;
}

/** Turns bytes into a JSON string literal, quotes included; invalid UTF-8 becomes U+FFFD. Long ones off the main loop. */
export class JsonTextEncoder {
  #worker: Worker | undefined;
  #nextId = 0;
  readonly #jobs = new Map<number, Job>();

  /** `bytes` must not change until the answer is there. */
  encode(bytes: Buffer): Promise<Buffer> {
    if (bytes.length <= WORKER_BYTES) return Promise.resolve(encodeHere(bytes));
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#jobs.set(id, { bytes, resolve });
      this.#worker ??= this.#start();
      this.#worker.postMessage({ id, bytes });
    });
  }

  /** Ends the worker; what it still had to do is done here. */
  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(WORKER_SOURCE, { eval: true, execArgv: [], env: {} });
    worker.unref();
    worker.on('message', ({ id, encoded }: Reply) => {
      this.#jobs.get(id)?.resolve(Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength));
      this.#jobs.delete(id);
    });
    // An 'exit' follows every 'error'; without a listener the error would end the daemon.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      this.#worker = undefined;
      for (const job of this.#jobs.values()) job.resolve(encodeHere(job.bytes));
      this.#jobs.clear();
    });
    return worker;
  }
}

function encodeHere(bytes: Buffer): Buffer {
  return Buffer.from(JSON.stringify(bytes.toString('utf8')));
}
