import type { Socket } from 'node:net';

/** A launch carries a whole script, request bodies end at 2 MiB, and JSON can make six bytes of one. */
const MAX_LINE_BYTES = 32 * 1_048_576;
/** A peer that does not read has this much kept for it; then the connection closes, and the next one tells all again. */
const MAX_UNSENT_BYTES = 32 * 1_048_576;

const NEWLINE = 0x0a;

/** One JSON message a line over a socket. What is sent in one turn goes out in one write. */
export class LineChannel {
  readonly #socket: Socket;
  readonly #message: (message: unknown) => void;
  readonly #closed: (reason: string) => void;
  #incoming: Buffer[] = [];
  #incomingBytes = 0;
  #outgoing: string[] = [];
  #reason = 'the other side closed the connection';
  #open = true;

  /**
   * @param message called with each message, whatever it holds, until the channel is closed.
   * @param closed called once, with the reason.
   */
  constructor(socket: Socket, message: (message: unknown) => void, closed: (reason: string) => void) {
    this.#socket = socket;
    this.#message = message;
    this.#closed = closed;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => (this.#reason = error.message));
    socket.once('close', () => {
      this.#open = false;
      this.#closed(this.#reason);
    });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  send(message: object): void {
    if (!this.#open) return;
    if (this.#outgoing.length === 0) setImmediate(() => this.#flush());
    this.#outgoing.push(JSON.stringify(message), '\n');
  }

  /** Closes at once; what was received and not yet handled is dropped. */
  close(reason: string): void {
    if (!this.#open) return;
    this.#flush();
    this.#open = false;
    this.#reason = reason;
    // What the kernel has taken is still delivered; only what the peer does not read is lost.
    this.#socket.destroySoon();
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
  }

  #flush(): void {
    if (!this.#open || this.#outgoing.length === 0) return;
    this.#socket.write(this.#outgoing.join(''));
    this.#outgoing = [];
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) this.#fail('the other side does not read');
  }

  #receive(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0 && this.#open; end = chunk.indexOf(NEWLINE, start)) {
      this.#incoming.push(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(this.#incoming).toString();
      this.#incoming = [];
      this.#incomingBytes = 0;
      this.#handle(line);
    }
    if (!this.#open || start === chunk.length) return;
    this.#incoming.push(chunk.subarray(start));
    this.#incomingBytes += chunk.length - start;
    if (this.#incomingBytes > MAX_LINE_BYTES) this.#fail('a message is too long');
  }

  #handle(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#fail('a message is not JSON');
      return;
    }
    this.#message(message);
  }

  #fail(reason: string): void {
    this.#open = false;
    this.#reason = reason;
    this.#socket.destroy();
  }
}
