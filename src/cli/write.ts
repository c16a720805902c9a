import type { Writable } from 'node:stream';
import { plain, visibleJson } from './terminal.js';

/**
 * Our standard output or error cannot be written any more: its reader has closed it, or, as the message then says, its disk
 * is full.
 */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/**
 * Writes and waits until the bytes are written, so that nothing is lost at exit, and a slow reader slows down what produces
 * them.
 * @throws ReaderGone when it cannot be written any more
 */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => {
      const { code, message } = (error ?? {}) as NodeJS.ErrnoException;
      if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') reject(new ReaderGone());
      else if (error) reject(new ReaderGone(`cannot write the output: ${message}`));
      else resolve();
    });
  });
}

/** Writes `value` to standard output as JSON for people and programs. */
export function printJson(value: unknown): Promise<void> {
  return write(process.stdout, `${visibleJson(JSON.stringify(value, undefined, 2))}\n`);
}

/** Writes `value` to standard output as one line of JSON. */
export function printJsonLine(value: unknown): Promise<void> {
  return write(process.stdout, `${visibleJson(JSON.stringify(value))}\n`);
}

/** Writes lines to standard output. */
export function printLines(lines: readonly string[]): Promise<void> {
  return write(process.stdout, lines.map((line) => `${line}\n`).join(''));
}

/** Writes one line to standard error for the person at the terminal. A failure is ignored: it is no reason to stop. */
export async function note(message: string): Promise<void> {
  try {
    await write(process.stderr, `execgo: ${plain(message)}\n`);
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error;
  }
}
