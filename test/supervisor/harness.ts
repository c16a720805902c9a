import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { connectSupervisor } from '../../src/executor/local/connection.js';
import type { Connection } from '../../src/executor/local/connection.js';
import { launchVersion } from '../../src/supervisor/wire/protocol.js';
import type {
  DaemonMessage,
  LaunchSpec,
  Outcome,
  SupervisorMessage,
} from '../../src/supervisor/wire/protocol.js';
import { startSupervisor } from '../../src/executor/local/start.js';
import type { StartOptions, SupervisorProcess } from '../../src/executor/local/start.js';
import { killAll, signalIfThere } from '../harness/kill.js';
import { processesOf } from '../harness/proc.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor, waitGone } from '../harness/wait.js';

/** How long what is left of a task may take to end of KILL. Milliseconds. */
const KILL_MS = 10_000;

/** What a test may set of a launch; everything else has a default. */
export type LaunchOptions = Partial<Omit<LaunchSpec, 'argv'>> & { maxBytes?: number; token?: string };

/** One real supervisor process in a directory of its own, and a daemon's connection to it. */
export class SupervisorUnderTest {
  readonly messages: SupervisorMessage[] = [];
  readonly tokens = new Map<number, string>();
  #nextId = 1;
  #connection: Connection | undefined;

  private constructor(
    /** Directory of this test; `work` in it is where tasks run. */
    readonly dir: string,
    readonly process: SupervisorProcess,
  ) {}

  static async start(entry: string, options: Partial<StartOptions> = {}): Promise<SupervisorUnderTest> {
    const dir = tempDir();
    mkdirSync(join(dir, 'work'));
    const root = join(dir, 'supervisor');
    const started = await startSupervisor({ root, version: 'test', entry, idleExitMs: 60_000, ...options });
    const supervisor = new SupervisorUnderTest(dir, started);
    onTestFinished(() => supervisor.#end());
    await supervisor.connect();
    return supervisor;
  }

  get connection(): Connection {
    if (this.#connection === undefined) throw new Error('not connected');
    return this.#connection;
  }

  async connect(): Promise<Connection> {
    const connection = await connectSupervisor({ dir: this.process.dir, version: 'test', timeoutMs: 10_000 });
    this.#connection = connection;
    connection.onMessage((message) => this.messages.push(message));
    return connection;
  }

  send(message: DaemonMessage): void {
    this.connection.send(message);
  }

  /** Sends a launch of a command. @returns its launch id. */
  launch(argv: [string, ...string[]], options: LaunchOptions = {}): number {
    const launchId = this.#nextId++;
    this.relaunch(launchId, argv, options);
    return launchId;
  }

  /** Sends a launch with a given id. */
  relaunch(launchId: number, argv: [string, ...string[]], options: LaunchOptions = {}): void {
    const { maxBytes = 4_194_304, token = `token-${this.process.pid}-${launchId}`, env, ...rest } = options;
    this.tokens.set(launchId, token);
    const stream = (name: string) => ({
      path: this.path(launchId, `${name}.log`),
      max_bytes: maxBytes,
      tail_path: this.path(launchId, `${name}.tail`),
    });
    const spec: LaunchSpec = {
      argv,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', EXECGO_LAUNCH: token, ...env },
      cwd: join(this.dir, 'work'),
      stdout: stream('stdout'),
      stderr: stream('stderr'),
      wall_time_ms: 60_000,
      grace_ms: 5000,
      ...rest,
    };
    this.send({
      type: 'launch',
      version: launchVersion(),
      launch_id: launchId,
      task_id: 'task',
      token,
      spec,
    });
  }

  sh(script: string, options: LaunchOptions = {}): number {
    return this.launch(['/bin/sh', '-c', script], options);
  }

  /** Runs a shell text to its end. */
  async run(script: string, options: LaunchOptions = {}): Promise<Finished> {
    return this.finished(this.sh(script, options));
  }

  async finished(launchId: number): Promise<Finished> {
    const outcome = await this.outcome(launchId);
    const text = (name: string) => readFileSync(this.path(launchId, name), 'utf8');
    return { launchId, outcome, stdout: text('stdout.log'), stderr: text('stderr.log') };
  }

  async outcome(launchId: number): Promise<Outcome> {
    const message = await this.message('outcome', (m) => m.outcome.launch_id === launchId);
    return message.outcome;
  }

  async started(launchId: number): Promise<number> {
    const message = await this.message('started', (m) => m.launch.launch_id === launchId);
    return message.launch.pid;
  }

  message<T extends SupervisorMessage['type']>(
    type: T,
    wanted: (message: Extract<SupervisorMessage, { type: T }>) => boolean = () => true,
  ): Promise<Extract<SupervisorMessage, { type: T }>> {
    const isWanted = (message: SupervisorMessage): message is Extract<SupervisorMessage, { type: T }> =>
      message.type === type && wanted(message as Extract<SupervisorMessage, { type: T }>);
    return waitFor(() => this.messages.find(isWanted), { what: `message ${type}` });
  }

  path(launchId: number, name: string): string {
    return join(this.dir, `${launchId}.${name}`);
  }

  /** Waits until a task has written something into a file of its working directory. @returns it, without white space. */
  async written(name: string): Promise<string> {
    return waitFor(() => readFileSync(join(this.dir, 'work', name), 'utf8').trim() || undefined, {
      what: name,
    });
  }

  log(): string {
    return readFileSync(join(this.process.dir, 'log'), 'utf8');
  }

  async #end(): Promise<void> {
    this.#connection?.close();
    signalIfThere(this.process.pid);
    await waitGone(this.process.pid);
    await killAll(() => [...this.tokens.values()].flatMap(processesOf), KILL_MS);
  }
}

export interface Finished {
  launchId: number;
  outcome: Outcome;
  stdout: string;
  stderr: string;
}
