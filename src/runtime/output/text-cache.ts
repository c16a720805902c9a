/** The memory an entry takes beside its text: key, stamp, map slot. */
const ENTRY_BYTES = 256;

interface Entry {
  stamp: string;
  text: Promise<Buffer>;
  /** 0 until the text is there. */
  bytes: number;
}

/** Texts by key; the least recently used are dropped when more than `maxBytes` are held. */
export class TextCache {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(private readonly maxBytes: number) {}

  /** The text of `key` at `stamp`. It is made once, even if more callers ask while it is being made. */
  get(key: string, stamp: string, make: () => Promise<Buffer>): Promise<Buffer> {
    const found = this.#entries.get(key);
    if (found?.stamp === stamp) {
      this.#entries.delete(key);
      this.#entries.set(key, found);
      return found.text;
    }
    this.#drop(key);
    const entry: Entry = { stamp, bytes: 0, text: make() };
    this.#entries.set(key, entry);
    entry.text.then(
      (text) => {
        this.#settle(key, entry, text);
      },
      () => {
        if (this.#entries.get(key) === entry) this.#drop(key);
      },
    );
    return entry.text;
  }

  #settle(key: string, entry: Entry, text: Buffer): void {
    if (this.#entries.get(key) !== entry) return;
    entry.bytes = text.length + ENTRY_BYTES;
    this.#bytes += entry.bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.maxBytes) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
