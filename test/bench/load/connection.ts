import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';

/** An HTTP connection that costs little: requests are bytes made beforehand, one at a time, kept alive. */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer | undefined;
  #waiting: { resolve: (body: Buffer) => void; reject: (error: Error) => void } | undefined;

  /** @throws Error when nobody listens there */
  static async open(port: number): Promise<Connection> {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Connection(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    const fail = (error: Error) => this.#waiting?.reject(error);
    socket.on('error', fail).on('close', () => fail(new Error('the daemon closed the connection')));
  }

  /** @returns the body of the answer @throws Error when it is not 200, or breaks off */
  send(request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const all = this.#received === undefined ? chunk : Buffer.concat([this.#received, chunk]);
    this.#received = all;
    const headEnd = all.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = all.toString('latin1', 0, headEnd);
    const length = Number(/^content-length: *(\d+)\r?$/im.exec(head)?.[1]);
    const bodyStart = headEnd + HEAD_END.length;
    const waiting = this.#waiting;
    if (Number.isNaN(length)) return waiting?.reject(new Error(`an answer without length: ${head}`));
    if (all.length < bodyStart + length) return;
    this.#received = undefined;
    this.#waiting = undefined;
    const body = all.subarray(bodyStart, bodyStart + length);
    if (head.startsWith('HTTP/1.1 200 ')) waiting?.resolve(body);
    else waiting?.reject(new Error(`${head.split('\r\n')[0]}: ${body.toString().slice(0, 500)}`));
  }
}

/** The bytes of a request. */
export function requestBytes(method: string, path: string, body?: string): Buffer {
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n`;
  if (body === undefined) return Buffer.from(`${head}\r\n`);
  const length = Buffer.byteLength(body);
  return Buffer.from(`${head}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`);
}
