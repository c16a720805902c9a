import type { GcRequest } from '../task/gc.js';
import type { NotifyTestAnswer } from '../task/notification-view.js';
import type { NotifyTestRequest } from '../task/notify-schema.js';
import type { QueuePage, QueueQuery, QueueView } from '../task/queues.js';
import type {
  Capabilities,
  GcReport,
  Readiness,
  RuntimeConfig,
  RuntimeInfo,
  RuntimeResources,
} from '../task/runtime-view.js';
import type { Snapshot } from '../task/snapshot.js';
import { Calls, type Abortable } from './calls.js';
import { CommandClient } from './commands.js';
import { FileClient } from './files.js';
import { HttpTransport } from './http.js';
import { queuePath } from './paths.js';
import { MAX_LONG_POLL_MS, patiently } from './retry.js';
import { GroupClient } from './group-client.js';
import { SessionClient } from './sessions.js';

/** How long a restarting daemon is waited for, in milliseconds. */
const DEFAULT_RECONNECT_MS = 60_000;

export interface ClientOptions {
  /** `http://host:port` or `unix:/path/to/socket`. */
  server: string;
  /** How long an answer may take beyond what the request itself asks to wait, in milliseconds; 60,000 by default. */
  requestTimeoutMs?: number | undefined;
  /** How long `wait` and the followers bear a daemon that is out of reach, in milliseconds; 60,000 by default. */
  reconnectMs?: number | undefined;
}

/** What is asked of the daemon itself and of its queues; of its tasks by `ExecgoClient`, which says what all of this throws. */
export class DaemonClient extends GroupClient {
  protected readonly http: HttpTransport;
  protected readonly calls: Calls;
  /** How long a daemon that restarts is waited for, in milliseconds. */
  protected readonly reconnectMs: number;
  /** Sessions: workspaces that tasks share. */
  readonly sessions: SessionClient;
  /** Files in workspaces of sessions and tasks. */
  readonly files: FileClient;
  /** What is said to tasks. */
  readonly commands: CommandClient;

  /** @throws TypeError when `server` is not an address. */
  constructor(options: ClientOptions) {
    const http = new HttpTransport(options.server);
    const calls = new Calls(http, options.requestTimeoutMs);
    const reconnectMs = options.reconnectMs ?? DEFAULT_RECONNECT_MS;
    super(calls, reconnectMs);
    this.http = http;
    this.calls = calls;
    this.reconnectMs = reconnectMs;
    this.sessions = new SessionClient(this.calls);
    this.files = new FileClient(this.http, this.calls);
    this.commands = new CommandClient(this.calls);
  }

  /** Closes kept connections. A process that has no other work ends without it, too. */
  close(): void {
    this.http.close();
  }

  /** All that matters at one moment, of all tasks or of one queue. */
  async snapshot(options: Abortable & { queue?: string | undefined } = {}): Promise<Snapshot> {
    const { queue, signal } = options;
    return this.calls.get('/api/v1/snapshot', { query: { queue }, signal });
  }

  /** One page of the queues that have a rule or tasks, by name. */
  async queues(options: Abortable & Partial<QueueQuery> = {}): Promise<QueuePage> {
    const { limit, cursor, signal } = options;
    return this.calls.get('/api/v1/queues', { query: { limit, cursor }, signal });
  }

  /**
   * A queue as it is now.
   * @param options.patient bear a daemon that is out of reach, as {@link wait} does
   */
  async queue(name: string, options: Abortable & { patient?: boolean | undefined } = {}): Promise<QueueView> {
    const { signal, patient } = options;
    const ask = (): Promise<QueueView> => this.calls.get(queuePath(name), { signal });
    return patient === true ? this.patiently(ask, signal) : ask();
  }

  /** Sends a message to a webhook, once, to see whether one arrives; an answer says also that it has not. */
  async testNotify(
    webhook: NotifyTestRequest['webhook'],
    options: Abortable = {},
  ): Promise<NotifyTestAnswer> {
    const { signal } = options;
    const body = { webhook };
    return this.calls.post('/api/v1/notify/test', {
      signal,
      body,
      waitMs: MAX_LONG_POLL_MS,
      repeatable: false,
    });
  }

  /** Removes ended tasks that are due, or says which would be. It takes as long as it takes: there is no time limit. */
  async gc(request: GcRequest = {}, options: Abortable = {}): Promise<GcReport> {
    return (await this.http.json({
      ...options,
      method: 'POST',
      path: '/api/v1/gc',
      body: request,
      repeatable: true,
    })) as GcReport;
  }

  /**
   * Deletes what ended before a time, as RFC 3339, or so many milliseconds ago, with its files; pinned tasks stay. It takes as long as it
   * takes: there is no time limit.
   */
  async deleteHistory(
    what: ({ finished_before: string } | { older_than_ms: number }) & { dry_run?: boolean | undefined },
    options: Abortable = {},
  ): Promise<GcReport> {
    const path = '/api/v1/tasks';
    return (await this.http.json({
      ...options,
      method: 'DELETE',
      path,
      query: what,
      repeatable: true,
    })) as GcReport;
  }

  /** `GET /api/v1/runtime/info`. */
  async info(options: Abortable = {}): Promise<RuntimeInfo> {
    return this.calls.get('/api/v1/runtime/info', options);
  }

  /** `GET /api/v1/runtime/capabilities`. */
  async capabilities(options: Abortable = {}): Promise<Capabilities> {
    return this.calls.get('/api/v1/runtime/capabilities', options);
  }

  /** `GET /api/v1/runtime/config`. */
  async config(options: Abortable = {}): Promise<RuntimeConfig> {
    return this.calls.get('/api/v1/runtime/config', options);
  }

  /** `GET /api/v1/runtime/resources`. */
  async resources(options: Abortable = {}): Promise<RuntimeResources> {
    return this.calls.get('/api/v1/runtime/resources', options);
  }

  /** Resolves while the daemon's process lives. */
  async health(options: Abortable = {}): Promise<{ status: 'ok'; version: string }> {
    return this.calls.get('/healthz', options);
  }

  /** Resolves while each part of the daemon serves, and tells how they are. Where one does not, the error says which and why. */
  async ready(
    options: Abortable = {},
  ): Promise<{ status: 'ready'; version: string; parts?: Readiness | undefined }> {
    return this.calls.get('/readyz', options);
  }

  /** Prometheus text 0.0.4. */
  metrics(options: Abortable = {}): Promise<string> {
    return this.calls.text('/metrics', options);
  }

  /** Asks again while the daemon restarts. */
  protected patiently<T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return patiently(this.reconnectMs, ask, signal);
  }
}
