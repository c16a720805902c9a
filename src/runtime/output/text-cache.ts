import { LRUCache } from 'lru-cache';

/** The memory an entry takes beside its text: key, stamp, slots of the cache. */
const ENTRY_BYTES = 256;

interface Entry {
  stamp: string;
  text: Promise<Buffer>;
  /** 0 until the text is there. */
  bytes: number;
}

/** Texts by key; the least recently used are dropped when more than `maxBytes` are held. */
export class TextCache {
  readonly #entries: LRUCache<string, Entry>;

  constructor(maxBytes: number) {
    this.#entries = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ bytes }) => bytes + ENTRY_BYTES });
  }

  /** The text of `key` at `stamp`. It is made once, even if more callers ask while it is being made. */
  get(key: string, stamp: string, make: () => Promise<Buffer>): Promise<Buffer> {
    const found = this.#entries.get(key);
    if (found?.stamp === stamp) return found.text;
    const entry = { stamp, text: make(), bytes: 0 };
    this.#entries.set(key, entry);
    const settle = (settled: Entry | undefined) =>
      this.#entries.peek(key) === entry && this.#entries.set(key, settled);
    void entry.text.then(
      ({ length }) => settle({ ...entry, bytes: length }),
      () => settle(undefined),
    );
    return entry.text;
  }
}
