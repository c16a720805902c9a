import { connect, type Socket } from 'node:net';

/** Reads what goes on and throws it away, as fast as it comes. Ends with the answer. */
class SseReader {
  bytes = 0;
  readonly #socket: Socket;

  constructor(port: number, path: string) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
    this.#socket.on('data', (chunk) => (this.bytes += chunk.length));
    // What ends the daemon ends this, too.
    this.#socket.on('error', () => undefined);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Runs `action` beside so many readers of `path`. @throws Error when one of them got nothing */
export async function withReaders<T>(
  count: number,
  port: number,
  path: string,
  action: () => Promise<T>,
): Promise<T> {
  const readers = Array.from({ length: count }, () => new SseReader(port, path));
  try {
    const result = await action();
    if (readers.some((reader) => reader.bytes === 0)) throw new Error(`a reader of ${path} got nothing`);
    return result;
  } finally {
    for (const reader of readers) reader.close();
  }
}
