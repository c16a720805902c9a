import { AskedThread } from '../../binary/asked-thread.js';
import { startWorkerThread } from '../../binary/worker-thread.js';

/** Longer texts are encoded in the worker: from about here on they would block other requests for more than a millisecond. */
const WORKER_BYTES = 65_536;
const IDLE_MS = 5000;

/** Encodes bytes as a JSON string literal, quotes included; invalid UTF-8 becomes U+FFFD. Long ones in a worker thread. */
export class JsonTextEncoder {
  readonly #thread = new AskedThread<Buffer, Uint8Array<ArrayBuffer>>({
    start: () => startWorkerThread(new URL('./text-worker.js', import.meta.url)),
    idleMs: IDLE_MS,
  });

  /** `bytes` must not change until the answer is there. */
  async encode(bytes: Buffer): Promise<Buffer> {
    if (bytes.length <= WORKER_BYTES) return encodeHere(bytes);
    try {
      const { buffer, byteOffset, byteLength } = await this.#thread.ask(bytes);
      return Buffer.from(buffer, byteOffset, byteLength);
    } catch {
      return encodeHere(bytes);
    }
  }

  /** Ends the worker; what it still had to do is done here. */
  close(): Promise<void> {
    return this.#thread.close();
  }
}

function encodeHere(bytes: Buffer): Buffer {
  return Buffer.from(JSON.stringify(bytes.toString('utf8')));
}
