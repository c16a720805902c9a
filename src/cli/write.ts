import type { Writable } from 'node:stream';
import { plain, visibleJson } from './terminal.js';

/** Our standard output or error takes no more: its reader has gone, or, as the message then says, its disk is full. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/**
 * Writes and waits until the bytes are out, so that nothing is lost at exit and a slow reader slows its source.
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

/** Says something to the person, on one line of standard error. Nobody listening is no reason to stop. */
export async function note(message: string): Promise<void> {
  try {
    await write(process.stderr, `execgo: ${plain(message)}\n`);
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error;
  }
}
