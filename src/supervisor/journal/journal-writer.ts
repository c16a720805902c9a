import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { encodeRecord } from './journal.js';
import type { JournalRecord } from './journal.js';

/** Below this the journal is left as it is: emptying it costs more than its bytes. */
const EMPTY_ABOVE_BYTES = 65_536;
/** Above this it is rewritten although some of it is still needed. */
const REWRITE_ABOVE_BYTES = 1_048_576;

const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC } = constants;

/**
 * The supervisor's append-only file. Written without fsync: it has to outlive this process, and what a crash of the
 * machine takes away is `lost` by the boot id in any case. A record that cannot be written leaves no trace.
 */
export class JournalWriter {
  readonly #path: string;
  #fd: number;
  #size: number;
  #rewriteAbove = REWRITE_ABOVE_BYTES;
  /** True while a part of a record may stand behind the last whole one. */
  #torn = false;

  /** @throws Error when the file cannot be opened. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, O_WRONLY | O_CREAT | O_APPEND, 0o600);
    this.#size = fstatSync(this.#fd).size;
  }

  /** @throws Error when the disk is full or broken. */
  append(...records: JournalRecord[]): void {
    if (this.#torn) this.#cutOff();
    this.#torn = true;
    try {
      this.#size += writeRecords(this.#fd, records);
    } catch (error) {
      try {
        this.#cutOff();
      } catch {
        // The next record tries again.
      }
      throw error;
    }
    this.#torn = false;
  }

  /** Half a line would hide every line that follows it, and look like damage to whoever reads it. */
  #cutOff(): void {
    ftruncateSync(this.#fd, this.#size);
  }

  /**
   * Forgets what nobody will ask for, where that is worth it.
   * @param live makes the records of all launches that run or are not acknowledged.
   * @throws Error when the disk is full or broken; the journal is then as before.
   */
  compact(live: () => JournalRecord[]): void {
    if (this.#size <= EMPTY_ABOVE_BYTES) return;
    const records = live();
    if (records.length === 0) {
      ftruncateSync(this.#fd, 0);
      this.#size = 0;
    } else if (this.#size > this.#rewriteAbove) this.#rewrite(records);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #rewrite(records: JournalRecord[]): void {
    const path = `${this.#path}.new`;
    const fd = openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0o600);
    try {
      const size = writeRecords(fd, records);
      renameSync(path, this.#path);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#size = size;
      this.#torn = false;
      // Rewriting again only when as much again has been added keeps its cost in proportion to what is written.
      this.#rewriteAbove = Math.max(REWRITE_ABOVE_BYTES, 2 * size);
    } catch (error) {
      closeSync(fd);
      rmSync(path, { force: true });
      throw error;
    }
  }
}

/** @returns how many bytes the records took. */
function writeRecords(fd: number, records: readonly JournalRecord[]): number {
  const bytes = Buffer.from(records.map(encodeRecord).join(''));
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
  return bytes.length;
}
