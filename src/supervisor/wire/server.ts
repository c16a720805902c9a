import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { LineChannel } from './line-channel.js';
import type { Log } from '../log.js';
import { parseDaemonMessage } from './messages.js';
import { prove } from './proof.js';
import { launchVersion, PROTOCOL } from './protocol.js';
import type { DaemonHello, DaemonMessage, SupervisorMessage } from './protocol.js';
import { findSocketPath } from './socket-path.js';

/**
 * How often to check the path of the socket, in milliseconds: once its directory is deleted, nobody can reach this process
 * any more.
 */
const PATH_CHECK_MS = 2000;

export interface ServerOptions {
  /** The supervisor's directory. */
  dir: string;
  socketPath: string;
  secret: string;
  incarnation: string;
  version: string;
  log: Log;
  /** A message of the connected daemon. */
  message: (message: Exclude<DaemonMessage, DaemonHello>) => void;
  /** Something from that daemon that is not a valid message. */
  garbled: (value: unknown) => void;
  /** A daemon has connected, or the last one has disconnected. */
  connected: (connected: boolean) => void;
  /** The path of the socket does not lead to this process any more. */
  unreachable: () => void;
}

/** The supervisor's socket. Only one daemon at a time is listened to: the one that said hello last. */
export class DaemonListener {
  readonly #options: ServerOptions;
  readonly #server: Server;
  readonly #channels = new Set<LineChannel>();
  #daemon: LineChannel | undefined;
  #pathCheck: NodeJS.Timeout | undefined;
  #inode = '';

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** @throws Error when the socket cannot be made. */
  async listen(): Promise<void> {
    const { dir, socketPath, unreachable, log } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(socketPath, resolve);
    });
    this.#server.on('error', (error) => log('cannot accept a connection', { error: error.message }));
    this.#inode = inodeOf(socketPath);
    this.#pathCheck = setInterval(() => {
      if (findSocketPath(dir) === socketPath && inodeOf(socketPath) === this.#inode) return;
      clearInterval(this.#pathCheck);
      unreachable();
    }, PATH_CHECK_MS);
  }

  /** Sends to the daemon. Without one the message is dropped: the next daemon asks for everything that matters. */
  tell(message: SupervisorMessage): void {
    this.#daemon?.send(message);
  }

  /** As {@link tell}, for many messages: each is made when the daemon has read those before it. */
  tellLater(make: () => SupervisorMessage | undefined): void {
    const encode = () => {
      const message = make();
      return message === undefined ? undefined : `${JSON.stringify(message)}\n`;
    };
    this.#daemon?.sendLater({ topic: undefined, encode });
  }

  close(): void {
    clearInterval(this.#pathCheck);
    // Closing the server removes the file at its path, which may be another process's socket by now.
    if (inodeOf(this.#options.socketPath) === this.#inode) this.#server.close();
    for (const channel of this.#channels) channel.close('the supervisor exits');
  }

  #accept(socket: Socket): void {
    const channel: LineChannel = new LineChannel(socket, {
      message: (message) => this.#receive(channel, message),
      garbled: (reason) => this.#garbled(channel, undefined, reason),
      closed: (reason) => this.#closed(channel, reason),
    });
    this.#channels.add(channel);
  }

  #receive(channel: LineChannel, value: unknown): void {
    const message = parseDaemonMessage(value, launchVersion());
    if (message === undefined || (message.type === 'hello') === (channel === this.#daemon))
      this.#garbled(channel, value, 'a message is not understood');
    else if (message.type === 'hello') this.#hello(channel, message);
    else this.#options.message(message);
  }

  /**
   * A line that is no message. From the daemon it is dropped, because on its next connection the daemon would only send it
   * again; any other peer is disconnected.
   */
  #garbled(channel: LineChannel, value: unknown, reason: string): void {
    if (channel === this.#daemon) {
      this.#options.log('a message of the daemon is dropped', { reason });
      this.#options.garbled(value);
      return;
    }
    this.#options.log('a connection is closed: its message is not understood', { reason });
    channel.close('a message is not understood');
  }

  #hello(channel: LineChannel, hello: DaemonHello): void {
    const { secret, incarnation, version, log, connected } = this.#options;
    if (hello.protocol !== PROTOCOL) {
      log('a connection is closed: its protocol is not known', { protocol: hello.protocol });
      channel.close('the protocol is not known');
      return;
    }
    for (const other of this.#channels) if (other !== channel) other.close('another daemon has connected');
    this.#daemon = channel;
    channel.send({
      type: 'hello',
      protocol: PROTOCOL,
      launch_version: launchVersion(),
      version,
      incarnation,
      pid: process.pid,
      proof: prove(secret, hello.nonce),
    } satisfies SupervisorMessage);
    connected(true);
  }

  #closed(channel: LineChannel, reason: string): void {
    this.#channels.delete(channel);
    if (channel !== this.#daemon) return;
    this.#daemon = undefined;
    this.#options.log('the daemon is gone', { reason });
    this.#options.connected(false);
  }
}

/** @returns device and inode of the file at a path; empty when there is none. */
function inodeOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}
