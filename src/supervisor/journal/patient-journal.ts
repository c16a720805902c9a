import type { Log } from '../log.js';
import type { JournalRecord } from './journal.js';
import type { JournalWriter } from './journal-writer.js';

/** How long a full disk is left alone before the journal is tried again, in milliseconds. */
const RETRY_MS = 1000;

/** What records are written to. */
export type Journal = Pick<JournalWriter, 'append' | 'compact'>;

/** A journal on a disk that may be full: what must be written and cannot is kept, and written in order later. */
export class PatientJournal {
  /** Records that could not be written yet; they are told all the same. */
  #unwritten: JournalRecord[] = [];
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly journal: Journal,
    private readonly log: Log,
  ) {}

  /** @throws Error when the journal cannot be written: nothing of it is. */
  write(...records: JournalRecord[]): void {
    this.journal.append(...this.#unwritten, ...records);
    this.#unwritten = [];
  }

  /** Writes now, or as soon as the disk takes it, in order. */
  writeSoon(record: JournalRecord): void {
    try {
      this.write(record);
    } catch (error) {
      this.log(cannotJournal(error));
      this.#unwritten.push(record);
      if (this.#retryTimer === undefined) this.#retryTimer = setTimeout(() => this.#retry(), RETRY_MS);
    }
  }

  #retry(): void {
    this.#retryTimer = undefined;
    const [last] = this.#unwritten.splice(-1);
    if (last !== undefined) this.writeSoon(last);
  }

  /** Forgets what nobody will ask for. @param live as {@link JournalWriter.compact} takes it */
  compact(live: () => JournalRecord[]): void {
    try {
      this.journal.compact(live);
    } catch (error) {
      this.log('cannot compact the journal', { error: (error as Error).message });
    }
  }
}

/** @returns why an attempt was refused, in words for people. */
export function cannotJournal(error: unknown): string {
  return `cannot write the journal: ${(error as Error).message}`;
}
