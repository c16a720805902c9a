import type { CommandFinish, CommandPage, CommandView } from '../task/commands.js';
import type { ProgressAnswer, ProgressReport } from '../task/progress.js';
import type { TaskEventAnswer } from '../task/task-event.js';
import { Calls, type Abortable } from './calls.js';
import { busyForMs, isNotSent, isTransient } from './errors.js';
import { HttpTransport } from './http.js';
import { patiently } from './retry.js';

/** How long a daemon that restarts, or that has answered too often, is waited for, in milliseconds. */
const DEFAULT_RECONNECT_MS = 60_000;

/** Where a task finds the daemon, and by what that knows it. */
interface TaskClientOptions {
  /** `EXECGO_TASK_SOCKET` of its environment. */
  socket: string;
  /** `EXECGO_TASK_TOKEN`. */
  token: string;
  /** How long a daemon that restarts is waited for, in milliseconds; 60,000 by default. */
  reconnectMs?: number | undefined;
}

/**
 * What a task has to say to the daemon that runs it, and to hear. Throws as `ExecgoClient` does; a restart of the daemon is borne, and what
 * is said twice because of that counts once.
 */
export class ExecgoTask {
  readonly #http: HttpTransport;
  readonly #calls: Calls;
  readonly #reconnectMs: number;

  constructor({ socket, token, reconnectMs = DEFAULT_RECONNECT_MS }: TaskClientOptions) {
    this.#http = new HttpTransport(`unix:${socket}`, { authorization: `Bearer ${token}` });
    this.#calls = new Calls(this.#http);
    this.#reconnectMs = reconnectMs;
  }

  /** The task in which this process runs; undefined outside of any. */
  static fromEnvironment(env: NodeJS.ProcessEnv): ExecgoTask | undefined {
    const { EXECGO_TASK_SOCKET: socket = '', EXECGO_TASK_TOKEN: token = '' } = env;
    return socket === '' || token === '' ? undefined : new ExecgoTask({ socket, token });
  }

  /** Closes kept connections. A process that has no other work ends without it, too. */
  close(): void {
    this.#http.close();
  }

  /** The commands that are not carried out yet, read or not, in their order. @param options.waitMs hold the answer until there is one */
  commands(
    options: Abortable & {
      afterSeq?: number | undefined;
      limit?: number | undefined;
      waitMs?: number | undefined;
      /** In place of that of this client. */
      reconnectMs?: number | undefined;
    } = {},
  ): Promise<CommandPage> {
    const { afterSeq, limit, waitMs, reconnectMs, signal } = options;
    const query = { after_seq: afterSeq, limit, wait_ms: waitMs };
    const ask = () => this.#calls.get<CommandPage>('/commands', { query, waitMs, signal });
    return patiently(reconnectMs ?? this.#reconnectMs, ask, signal, mayPass);
  }

  /** Says that a command was read. */
  acknowledge(seq: number, options: Abortable = {}): Promise<CommandView> {
    const path = `/commands/${String(seq)}/ack`;
    return this.#patiently(() => this.#calls.post(path, { ...options, repeatable: true }), options.signal);
  }

  /** Says how a command was carried out. */
  finish(seq: number, how: CommandFinish, options: Abortable = {}): Promise<CommandView> {
    const path = `/commands/${String(seq)}/finish`;
    return this.#patiently(
      () => this.#calls.post(path, { ...options, body: how, repeatable: true }),
      options.signal,
    );
  }

  /** Says how far the task is; of several within a second the newest counts. */
  progress(report: ProgressReport, options: Abortable = {}): Promise<ProgressAnswer> {
    return this.#patiently(
      () => this.#calls.post('/progress', { ...options, body: report, repeatable: true }),
      options.signal,
    );
  }

  /** Adds an event to the history of the task. Sent again only where it has not come to the daemon, or was refused by it for now. */
  event(name: string, data?: unknown, options: Abortable = {}): Promise<TaskEventAnswer> {
    const send = () =>
      this.#calls.post<TaskEventAnswer>('/event', { ...options, body: { name, data }, repeatable: false });
    return patiently(this.#reconnectMs, send, options.signal, isNotTaken);
  }

  #patiently<T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return patiently(this.#reconnectMs, ask, signal, mayPass);
  }
}

/** The daemon restarts, or wants to be asked later. */
const mayPass = (error: unknown) => isTransient(error) || busyForMs(error) !== undefined;

/** The same, where nothing of what was sent can have been taken. */
const isNotTaken = (error: unknown) => isNotSent(error) || busyForMs(error) !== undefined;
