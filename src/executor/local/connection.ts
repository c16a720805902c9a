import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { LineChannel, type LaterMessage } from '../../supervisor/wire/line-channel.js';
import { parseSupervisorMessage } from '../../supervisor/wire/messages.js';
import { isProof, makeNonce, readSecret } from '../../supervisor/wire/proof.js';
import { PROTOCOL } from '../../supervisor/wire/protocol.js';
import type { DaemonMessage, SupervisorHello, SupervisorMessage } from '../../supervisor/wire/protocol.js';
import { findSocketPath } from '../../supervisor/wire/socket-path.js';

/** The daemon's end of the conversation with one supervisor, after both have said hello. */
export class Connection {
  #listener: ((message: SupervisorMessage) => void) | undefined;
  #closeListener: ((reason: string) => void) | undefined;
  #garbledListener: ((value: unknown, reason: string) => void) | undefined;
  #early: SupervisorMessage[] = [];
  /** Ends that are acknowledged in this turn of the event loop. */
  #acks: number[] = [];
  #closedFor: string | undefined;

  /** @param hello what the supervisor said of itself. */
  constructor(
    readonly hello: SupervisorHello,
    private readonly channel: LineChannel,
  ) {}

  /** Sets the one listener for messages; what came before is handed to it now. */
  onMessage(listener: (message: SupervisorMessage) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  /** Sets the one listener for the end of the connection, from whichever side; called once, with the reason. */
  onClose(listener: (reason: string) => void): void {
    this.#closeListener = listener;
    if (this.#closedFor !== undefined) listener(this.#closedFor);
  }

  /** Sets the one listener for what was dropped because it was not understood: its value, where it is one, and why. */
  onGarbled(listener: (value: unknown, reason: string) => void): void {
    this.#garbledListener = listener;
  }

  /**
   * Sends, together with all else of this turn and before launch messages that wait; on a closed connection nothing happens.
   * A kill stays behind the launch message of its attempt, and leaves at once: who is told that a task is killed relies on it, also
   * when the daemon dies right after that.
   */
  send(message: DaemonMessage): void {
    const isKill = message.type === 'kill';
    this.channel.send(message, isKill ? message.launch_id : undefined);
    if (isKill) this.channel.flush();
  }

  /** Acknowledges an end, in one message with all others of this turn. */
  ack(launchId: number): void {
    if (this.#acks.push(launchId) > 1) return;
    const encode = () => {
      const message = this.#takeAcks();
      return message && `${JSON.stringify(message)}\n`;
    };
    this.channel.sendLater({ topic: undefined, encode });
  }

  #takeAcks(): DaemonMessage | undefined {
    const launch_ids = this.#acks;
    this.#acks = [];
    return launch_ids.length === 0 ? undefined : { type: 'ack', launch_ids };
  }

  /** Sends something large, made when there is room for it; on a closed connection nothing happens. */
  sendLater(message: LaterMessage): void {
    this.channel.sendLater(message);
  }

  /** Lets go of the supervisor, which goes on. */
  close(): void {
    const acks = this.#takeAcks();
    if (acks !== undefined) this.channel.send(acks);
    this.channel.close('closed by this side');
  }

  /** @internal Takes what the channel has received. */
  receive(message: SupervisorMessage): void {
    if (this.#listener === undefined) this.#early.push(message);
    else this.#listener(message);
  }

  /** @internal Takes what was dropped. */
  garbled(value: unknown, reason: string): void {
    this.#garbledListener?.(value, reason);
  }

  /** @internal Takes the end of the channel. */
  closed(reason: string): void {
    this.#closedFor = reason;
    this.#closeListener?.(reason);
  }
}

export interface ConnectOptions {
  /** `<data-dir>/supervisor/<incarnation>`. */
  dir: string;
  /** The daemon's own version, for the supervisor's log. */
  version: string;
  /** For connecting and both hellos, in milliseconds. */
  timeoutMs: number;
}

/**
 * Connects to the supervisor of a directory; it closes every older connection.
 * @throws Error when nobody listens, when it does not answer in time, when it cannot prove that it knows the secret of its
 * directory, or when it speaks another protocol.
 */
export function connectSupervisor({ dir, version, timeoutMs }: ConnectOptions): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const secret = readSecret(dir);
    const nonce = makeNonce();
    const socket: Socket = connect(findSocketPath(dir));
    let connection: Connection | undefined;
    const timer = setTimeout(() => fail(`it does not answer within ${timeoutMs} ms`), timeoutMs);
    const fail = (reason: string) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(`cannot connect to the supervisor in ${dir}: ${reason}`));
    };
    const channel: LineChannel = new LineChannel(socket, {
      message: (value) => {
        const message = parseSupervisorMessage(value);
        if (connection !== undefined) {
          if (message === undefined) connection.garbled(value, 'it is none of those that are known here');
          else connection.receive(message);
          return;
        }
        if (message?.type !== 'hello') {
          fail('it does not say hello');
          return;
        }
        if (!isProof(secret, nonce, message.proof)) {
          fail('it does not know the secret: it is an impostor');
          return;
        }
        if (message.protocol !== PROTOCOL) {
          fail(`it speaks protocol ${message.protocol}`);
          return;
        }
        clearTimeout(timer);
        connection = new Connection(message, channel);
        resolve(connection);
      },
      garbled: (reason) => {
        if (connection === undefined) fail(reason);
        else connection.garbled(undefined, reason);
      },
      closed: (reason) => {
        if (connection === undefined) fail(reason);
        else connection.closed(reason);
      },
    });
    channel.send({ type: 'hello', protocol: PROTOCOL, version, nonce } satisfies DaemonMessage);
  });
}
