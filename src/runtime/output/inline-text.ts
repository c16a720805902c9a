import { TAIL_BYTES } from '../../supervisor/capture/tail-format.js';
import { errnoOf } from '../../files/errno.js';
import { OutputSnapshot } from './snapshot.js';
import type { OutputSource } from './source.js';
import { TextCache } from './text-cache.js';
import { JsonTextEncoder } from './text-encoder.js';
import { strayBytes, unfinishedBytes } from './utf8.js';

/** A status shows no more of a stream than this, whatever the request says. */
export const INLINE_MAX_BYTES = 4_194_304;

/** Room for two statuses with default limits whose streams are both full and need little escaping. */
const DEFAULT_CACHE_BYTES = 33_554_432;

/** The longest UTF-8 character. */
const UTF8_MAX_BYTES = 4;

const EMPTY = Buffer.from('""');

/** One stream as a status shows it. Texts are JSON string literals, quotes included. */
export interface InlineText {
  /** The first bytes; invalid UTF-8 is replaced. */
  text: Buffer;
  /** The last bytes, when `text` does not hold all of them. */
  tail?: Buffer | undefined;
  /** Bytes the task wrote so far. */
  total_bytes: number;
  /** Bytes in the middle that were not kept. */
  omitted_bytes: number;
  /** True when the task wrote more than `text` may hold. */
  truncated: boolean;
  /** Why some of what should be there cannot be read. */
  problem?: string | undefined;
}

/** Reads and encodes the texts of a status; what was encoded is kept for the next poll. */
export class InlineTexts {
  readonly #cache: TextCache;
  readonly #encoder = new JsonTextEncoder();

  /** @param cacheBytes how many bytes of encoded texts to keep */
  constructor(cacheBytes = DEFAULT_CACHE_BYTES) {
    this.#cache = new TextCache(cacheBytes);
  }

  async read(source: OutputSource): Promise<InlineText> {
    if (source.final && source.totalBytes === 0)
      return { text: EMPTY, total_bytes: 0, omitted_bytes: 0, truncated: false };
    const snapshot = new OutputSnapshot(source);
    try {
      return await this.#readSnapshot(source, snapshot);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      // The file was there, but could not be opened: so its bytes are missing.
      return { text: EMPTY, ...sizesOf(snapshot.open(), 0), problem: snapshot.problem };
    } finally {
      snapshot.close();
    }
  }

  async #readSnapshot(source: OutputSource, snapshot: OutputSnapshot): Promise<InlineText> {
    const key = `${source.taskId}/${source.attempt}/${source.stream}`;
    const shown = Math.min(snapshot.kept, source.maxBytes, INLINE_MAX_BYTES);
    const truncated = snapshot.total > shown;
    const whole = source.final && !truncated;
    const text =
      shown === 0
        ? EMPTY
        : await this.#cache.get(key, `${snapshot.stamp}:${shown}:${whole}`, async () =>
            this.#encoder.encode(withoutCutEnd(await snapshot.read(0, shown), whole)),
          );
    const { total } = snapshot;
    const rest = { ...sizesOf(snapshot, shown), problem: snapshot.problem };
    const tailStart = tailStartOf(snapshot, shown);
    if (tailStart === total) return { text, ...rest };
    const tail = await this.#cache.get(
      `${key}.tail`,
      `${snapshot.stamp}:${shown}:${total}:${source.final}`,
      async () => {
        const cut = tailStart === shown ? await cutAtCap(snapshot, shown) : 0;
        const bytes = await snapshot.read(tailStart - cut, total);
        return this.#encoder.encode(withoutCutEnd(bytes.subarray(strayBytes(bytes)), source.final));
      },
    );
    return { text, tail, ...rest };
  }

  /** Bytes as a JSON string literal; see {@link JsonTextEncoder.encode}. */
  encode(bytes: Buffer): Promise<Buffer> {
    return this.#encoder.encode(bytes);
  }

  /** Ends the worker thread, if one was started. */
  close(): Promise<void> {
    return this.#encoder.close();
  }
}

function sizesOf({ total, omitted }: OutputSnapshot, shown: number) {
  return { total_bytes: total, omitted_bytes: omitted, truncated: total > shown };
}

/**
 * Where the bytes begin that are shown as the tail, beside the first `shown` ones: up to 64 KiB, from the log file or from
 * the ring file. The end of the stream when there is nothing to show.
 */
function tailStartOf({ total, tailFrom, omitted }: OutputSnapshot, shown: number): number {
  return Math.max(shown, total - TAIL_BYTES, omitted > 0 ? tailFrom : 0);
}

/** How many bytes at the end of the text belong to a character that is continued in the tail. */
async function cutAtCap(snapshot: OutputSnapshot, shown: number): Promise<number> {
  return unfinishedBytes(await snapshot.read(Math.max(0, shown - UTF8_MAX_BYTES), shown));
}

/** Leaves out a last character that is incomplete, unless no more bytes can follow. */
function withoutCutEnd(bytes: Buffer, final: boolean): Buffer {
  return final ? bytes : bytes.subarray(0, bytes.length - unfinishedBytes(bytes));
}
