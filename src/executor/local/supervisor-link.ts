import type { Logger } from 'pino';
import { isRunning } from '../../sandbox/process/process-identity.js';
import type { SupervisorRecord } from '../../store/records.js';
import { connectSupervisor, type Connection } from './connection.js';
import type { LaterMessage } from '../../supervisor/wire/line-channel.js';
import type { DaemonMessage, SupervisorMessage } from '../../supervisor/wire/protocol.js';

/** How long one try to connect may take. A supervisor that is stopped accepts and says nothing. */
const CONNECT_TIMEOUT_MS = 2000;
/** How long between two tries while the process lives. */
const RECONNECT_MS = 100;

/** What a link tells its owner. */
export interface LinkEvents {
  connected: (link: SupervisorLink) => void;
  message: (link: SupervisorLink, message: SupervisorMessage) => void;
  /** A message that is not understood was dropped; its value, where it is one. */
  garbled: (link: SupervisorLink, value: unknown) => void;
  /** The process is gone. Silence never counts: a stopped supervisor is not a dead one. */
  dead: (link: SupervisorLink) => void;
}

/** One supervisor process and the connection to it, made again for as long as the process lives. */
export class SupervisorLink {
  private connection: Connection | undefined;
  /** Launch version that the supervisor spoke when it was connected last; undefined before the first time. */
  launchVersion: number | undefined;
  private closed = false;
  /** Set by the owner once the process is known to be dead. */
  gone = false;

  constructor(
    readonly identity: SupervisorRecord,
    /** Its directory, `supervisor/<incarnation>`. */
    readonly dir: string,
    private readonly options: { version: string; bootId: string; log: Logger; events: LinkEvents },
  ) {}

  get incarnation(): string {
    return this.identity.incarnation;
  }

  get pid(): number {
    return this.identity.pid;
  }

  get connected(): boolean {
    return this.connection !== undefined;
  }

  /** Keeps the link up until the process is gone or {@link close} is called. */
  async run(): Promise<void> {
    const { version, log, events } = this.options;
    let complaint = '';
    while (!this.closed) {
      try {
        const connection = await connectSupervisor({ dir: this.dir, version, timeoutMs: CONNECT_TIMEOUT_MS });
        if (this.isClosed()) {
          connection.close();
          return;
        }
        complaint = '';
        await this.serve(connection);
      } catch (error) {
        // Tried ten times a second for as long as the process lives: each reason is told once.
        if (String(error) !== complaint)
          log.warn({ err: error, incarnation: this.incarnation }, 'cannot reach the supervisor');
        complaint = String(error);
      }
      if (this.isClosed()) return;
      if (!this.alive()) {
        events.dead(this);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
  }

  /** True while the process that this link is for runs, also when it does not answer. */
  alive(): boolean {
    return isRunning(this.identity, this.options.bootId);
  }

  /** Sends to a connected supervisor; otherwise nothing: the next connect says it all again. */
  send(message: DaemonMessage): void {
    this.connection?.send(message);
  }

  /** Tells that an end is committed, with all others of this turn. */
  ack(launchId: number): void {
    this.connection?.ack(launchId);
  }

  /** As {@link send}, for a launch message: made once there is room for it. */
  sendLater(message: LaterMessage): void {
    this.connection?.sendLater(message);
  }

  /** Lets go of the supervisor, which goes on. */
  close(): void {
    this.closed = true;
    this.connection?.close();
  }

  private isClosed(): boolean {
    return this.closed;
  }

  private serve(connection: Connection): Promise<void> {
    this.connection = connection;
    this.launchVersion = connection.hello.launch_version;
    return new Promise((resolve) => {
      connection.onMessage((message) => {
        this.options.events.message(this, message);
      });
      connection.onGarbled((value, reason) => {
        this.options.log.error(
          { incarnation: this.incarnation, reason },
          'a message of a supervisor is not understood and is dropped',
        );
        this.options.events.garbled(this, value);
      });
      connection.onClose(() => {
        this.connection = undefined;
        resolve();
      });
      this.options.events.connected(this);
    });
  }
}
