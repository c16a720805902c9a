import type { Socket } from 'node:net';

/**
 * A launch message carries a whole script; request bodies are at most 2 MiB, and JSON can make six bytes of one. Longer
 * lines are dropped.
 */
export const MAX_LINE_BYTES = 32 * 1_048_576;
/**
 * How many bytes of {@link LineChannel.send} may wait for a peer that does not read. Above that the connection is closed,
 * and the next one tells everything again.
 */
const MAX_UNSENT_BYTES = 32 * 1_048_576;
/** How much is given to the socket at a time; the rest waits until the peer has read it. */
const BATCH_BYTES = 1_048_576;

const NEWLINE = 0x0a;

/** Makes the message when there is room for it; returns undefined if it is no longer wanted. */
export interface LaterMessage {
  /** The subject of the message: later messages with the same topic must not be sent before it. */
  topic: number | undefined;
  encode: () => string | undefined;
}

/** What a channel calls. */
export interface ChannelEvents {
  /** Called with each message, whatever it is, until the channel is closed. */
  message: (message: unknown) => void;
  /** A line was dropped for this reason; the channel goes on. */
  garbled: (reason: string) => void;
  /** Called once, with the reason. */
  closed: (reason: string) => void;
}

/**
 * Sends and receives JSON messages, one a line, over a socket. Messages sent in one turn of the event loop go out in one
 * write, if the peer reads fast enough. Large messages are made only when there is room for them; small ones are sent before
 * those.
 */
export class LineChannel {
  #incoming: Buffer[] = [];
  #incomingBytes = 0;
  #isSkipping = false;
  #outgoing: string[] = [];
  #outgoingBytes = 0;
  readonly #later: LaterMessage[] = [];
  readonly #topics = new Set<number>();
  #isDue = false;
  #isFull = false;
  #reason = 'the other side closed the connection';
  #open = true;

  constructor(
    private readonly socket: Socket,
    private readonly events: ChannelEvents,
  ) {
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => {
      this.#isFull = false;
      this.flush();
    });
    socket.on('error', (error) => (this.#reason = error.message));
    socket.once('close', () => {
      this.#open = false;
      this.events.closed(this.#reason);
    });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /**
   * Sends a small message, before the messages of {@link sendLater} that wait for room.
   * @param topic keeps it behind a waiting message with the same topic
   */
  send(message: object, topic?: number): void {
    if (!this.#open) return;
    const text = `${JSON.stringify(message)}\n`;
    if (topic !== undefined && this.#topics.has(topic))
      this.#later.push({ topic: undefined, encode: () => text });
    else {
      this.#outgoing.push(text);
      this.#outgoingBytes += text.length;
      if (this.#outgoingBytes > MAX_UNSENT_BYTES && this.#isFull) {
        this.#fail('the other side does not read');
        return;
      }
    }
    this.#flushSoon();
  }

  /** Sends a message once there is room for it. Messages that are not made when the channel closes are dropped. */
  sendLater(message: LaterMessage): void {
    if (!this.#open) return;
    this.#later.push(message);
    if (message.topic !== undefined) this.#topics.add(message.topic);
    this.#flushSoon();
  }

  /** Closes at once; received messages that are not handled yet are dropped. */
  close(reason: string): void {
    if (!this.#open) return;
    if (this.#outgoing.length > 0) this.socket.write(this.#outgoing.join(''));
    this.#open = false;
    this.#reason = reason;
    // What the kernel has accepted is still delivered; only what the peer does not read is lost.
    this.socket.destroySoon();
    this.socket.removeAllListeners('data');
    this.socket.resume();
  }

  #flushSoon(): void {
    if (this.#isDue || this.#isFull) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.flush();
    });
  }

  /** Gives the kernel now what would leave at the end of this turn of the event loop, if the peer reads fast enough. */
  flush(): void {
    while (this.#open && !this.#isFull) {
      const batch = this.#nextBatch();
      if (batch === '') return;
      this.#isFull = !this.socket.write(batch);
    }
  }

  #nextBatch(): string {
    const texts = this.#outgoing;
    let bytes = this.#outgoingBytes;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    let made = 0;
    for (const { topic, encode } of this.#later) {
      if (bytes >= BATCH_BYTES) break;
      made++;
      if (topic !== undefined) this.#topics.delete(topic);
      const text = encode() ?? '';
      texts.push(text);
      bytes += text.length;
    }
    this.#later.splice(0, made);
    return texts.join('');
  }

  #receive(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0 && this.#open; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      start = end + 1;
      const line = this.#isSkipping ? undefined : Buffer.concat(this.#incoming).toString();
      this.#forget();
      this.#isSkipping = false;
      if (line !== undefined) this.#handle(line);
    }
    if (this.#open && start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** Keeps a part of a line; of a line that is too long, nothing is kept up to its end. */
  #keep(piece: Buffer): void {
    if (this.#isSkipping) return;
    this.#incoming.push(piece);
    this.#incomingBytes += piece.length;
    if (this.#incomingBytes <= MAX_LINE_BYTES) return;
    this.#forget();
    this.#isSkipping = true;
    this.events.garbled('a message is too long');
  }

  #forget(): void {
    this.#incoming = [];
    this.#incomingBytes = 0;
  }

  #handle(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.events.garbled('a message is not JSON');
      return;
    }
    this.events.message(message);
  }

  #fail(reason: string): void {
    this.#open = false;
    this.#reason = reason;
    this.socket.destroy();
  }
}
