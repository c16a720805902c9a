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

/** A journal smaller than this is not emptied: that would cost more than its bytes. */
const EMPTY_ABOVE_BYTES = 65_536;
/** A journal larger than this is rewritten even if some of it is still needed. */
const REWRITE_ABOVE_BYTES = 1_048_576;

const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC } = constants;

/**
 * The supervisor's append-only file. Written without fsync: it only has to outlive this process, because after a crash of
 * the machine the boot id tells that all attempts are lost anyway. A record that cannot be written completely is removed
 * again.
 */
export class JournalWriter {
  #fd: number;
  #size: number;
  #rewriteAbove = REWRITE_ABOVE_BYTES;
  /** True while there may be part of a record after the last whole one. */
  #torn = false;

  /** @throws Error when the file cannot be opened. */
  constructor(private readonly path: string) {
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
        // The next record will try to cut it off again.
      }
      throw error;
    }
    this.#torn = false;
  }

  /** Removes part of a record: it would hide every line after it, and look like damage to a reader. */
  #cutOff(): void {
    ftruncateSync(this.#fd, this.#size);
  }

  /**
   * Drops records that nobody will need, when that is worth the effort.
   * @param live makes the records of all attempts that run or are not acknowledged.
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
    const path = `${this.path}.new`;
    const fd = openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0o600);
    try {
      const size = writeRecords(fd, records);
      renameSync(path, this.path);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#size = size;
      this.#torn = false;
      // With the limit at twice the new size, the cost of rewriting stays in proportion to what is written.
      this.#rewriteAbove = Math.max(REWRITE_ABOVE_BYTES, 2 * size);
    } catch (error) {
      closeSync(fd);
      rmSync(path, { force: true });
      throw error;
    }
  }
}

/** @returns how many bytes were written. */
function writeRecords(fd: number, records: readonly JournalRecord[]): number {
  const bytes = Buffer.from(records.map(encodeRecord).join(''));
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
  return bytes.length;
}
