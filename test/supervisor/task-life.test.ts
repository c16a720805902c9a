import { constants } from 'node:os';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { JournalRecord } from '../../src/supervisor/journal/journal.js';
import { Supervisor } from '../../src/supervisor/run/supervisor.js';
import type { Launcher, SpawnEvents, StreamName } from '../../src/supervisor/spawn/launcher.js';
import { launchVersion } from '../../src/supervisor/wire/protocol.js';
import type { LaunchSpec, Outcome, SupervisorMessage } from '../../src/supervisor/wire/protocol.js';

// A look at every process of this machine takes long, and nobody is there to be found.
vi.mock('../../src/sandbox/process/process-identity.js', async (original) => ({
  ...(await original<object>()),
  findByToken: () => [],
}));

const { SIGKILL, SIGTERM, SIGCONT, SIGSTOP, SIGUSR1, SIGINT } = constants.signals;
/** A pid that no kernel gives. */
const PID = 5_000_000;
const ID = 7;
const GRACE_MS = 3000;
/** From the end of all grace until what cannot be killed is left alone, and the looks at every process in between. */
const GIVE_UP_MS = 2001;
/** After which a chain that keeps its report open counts as having reached the program, rounded up. */
const SILENCE_MS = 101;

/** What can happen to a launch, or be said about it, whenever it is possible at all. */
type Happening =
  | { what: 'kill'; signal: number | undefined; graceMs: number | undefined }
  | { what: 'pause' | 'resume' | 'launch' | 'list' | 'ack' | 'drain' | 'fullDisk' | 'roomyDisk' }
  | { what: 'made' | 'notMade' | 'groupDies' | 'chainReaches' }
  | { what: 'writes' | 'closes'; stream: StreamName }
  | { what: 'exits'; code: number }
  | { what: 'passes'; ms: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({
    what: fc.constant('kill' as const),
    signal: fc.constantFrom(undefined, SIGTERM, SIGUSR1, SIGINT),
    graceMs: fc.constantFrom(undefined, 0, 100, 1000, 10_000),
  }),
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('pause', 'resume') }) },
  fc.record({ what: fc.constantFrom('launch', 'list', 'ack', 'drain', 'fullDisk', 'roomyDisk') }),
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('made', 'made', 'made', 'notMade') }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('groupDies', 'chainReaches') }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constantFrom('writes', 'closes'),
      stream: fc.constantFrom('stdout', 'stderr', 'report'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('exits' as const), code: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('passes' as const), ms: fc.constantFrom(1, 5, 99, 1000, 5000) }),
  },
);

interface Stop {
  atMs: number;
  graceMs: number;
  signal: number;
}

/** A supervisor whose machine is played by the test, and what is known of the one launch that it is given. */
class World {
  readonly told: SupervisorMessage[] = [];
  readonly journal: JournalRecord[] = [];
  readonly logged: string[] = [];
  /** To the process group: the leader's while it is there. */
  readonly signals: { signal: number; atMs: number }[] = [];
  readonly stops: Stop[] = [];
  readonly open = new Set<StreamName>();
  events: SpawnEvents | undefined;
  askedAtMs = 0;
  madeAtMs: number | undefined;
  endedAtMs: number | undefined;
  exitCode: number | undefined;
  reachedAtMs: number | undefined;
  /** The chain has reached the program and closed its report, while there was somebody to take note of it. */
  isReachKnown = false;
  failed = false;
  groupGone = false;
  diskFull = false;
  refused = false;
  written = { stdout: 0, stderr: 0, report: 0 };
  /** How long it has been paused, and since when it is. Milliseconds. */
  stoodMs = 0;
  standsSince: number | undefined;
  /** Processes that belong to it and that no signal reaches. */
  strays: number[] = [];
  readonly #supervisor: Supervisor;

  constructor(
    readonly hasChain: boolean,
    readonly wallTimeMs: number,
  ) {
    const launcher: Launcher = {
      kind: 'libc',
      alwaysChain: hasChain,
      spawnsAtOnce: 1,
      spawn: (_request, events) => {
        expect(this.events).toBeUndefined();
        expect(this.#records('began')).toHaveLength(1);
        this.events = events;
        this.askedAtMs = performance.now();
      },
      signal: (pid, signal) => this.#signal(pid, signal),
      strays: () => this.strays,
      orphans: () => [],
      close: () => undefined,
    };
    this.#supervisor = new Supervisor({
      launcher,
      journal: {
        append: (...records) => {
          if (this.diskFull) throw new Error('ENOSPC');
          this.journal.push(...records);
        },
        compact: () => undefined,
      },
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      log: (message, fields) => this.logged.push(`${message} ${JSON.stringify(fields)}`),
      tell: (message) => this.#tell(message),
      tellLater: (make) => {
        const message = make();
        if (message !== undefined) this.#tell(message);
      },
      idle: () => undefined,
    });
  }

  get outcomes(): Outcome[] {
    return this.told.flatMap((message) => (message.type === 'outcome' ? [message.outcome] : []));
  }

  get outcome(): Outcome | undefined {
    return this.outcomes[0];
  }

  get isMade(): boolean {
    return this.madeAtMs !== undefined;
  }

  #records<T extends JournalRecord['t']>(t: T): Extract<JournalRecord, { t: T }>[] {
    return this.journal.filter((record): record is Extract<JournalRecord, { t: T }> => record.t === t);
  }

  /** Nothing is told that is not written down, but on a disk that takes nothing. */
  #tell(message: SupervisorMessage): void {
    const isWritten = (t: 'started' | 'outcome') =>
      this.#records(t).length > 0 || this.logged.some((line) => line.startsWith('cannot write the journal'));
    if (message.type === 'started') {
      expect(isWritten('started')).toBe(true);
      expect(this.outcomes).toEqual([]);
    }
    if (message.type === 'outcome' && message.outcome.failure === undefined)
      expect(isWritten('outcome')).toBe(true);
    if (message.type === 'refused') this.refused = true;
    this.told.push(message);
  }

  #signal(pid: number, signal: number): boolean {
    if (this.strays.includes(pid)) {
      this.signals.push({ signal, atMs: performance.now() });
      return true;
    }
    if (pid === PID) {
      expect([signal, this.endedAtMs]).toEqual([SIGKILL, undefined]);
      return true;
    }
    expect(pid).toBe(-PID);
    // Its number may be another group's by now.
    expect(this.groupGone && this.endedAtMs !== undefined && this.#knowsGone).toBe(false);
    if (this.groupGone) {
      this.#knowsGone = this.endedAtMs !== undefined;
      return false;
    }
    this.signals.push({ signal, atMs: performance.now() });
    if (this.endedAtMs !== undefined) expect(signal).toBe(SIGKILL);
    return true;
  }
  #knowsGone = false;

  launch(): void {
    const stream = (name: string) => ({
      path: `/nowhere/${name}.log`,
      max_bytes: 0,
      tail_path: `/nowhere/${name}.tail`,
    });
    const spec: LaunchSpec = {
      argv: ['program'],
      env: {},
      cwd: '/',
      stdout: stream('stdout'),
      stderr: stream('stderr'),
      wall_time_ms: this.wallTimeMs,
      grace_ms: GRACE_MS,
    };
    const version = launchVersion();
    this.#supervisor.handle({ type: 'launch', version, launch_id: ID, task_id: 't', token: 'token', spec });
  }

  /** Lets it happen, where it can. */
  async happen(it: Happening): Promise<void> {
    const { events } = this;
    const isAlive = this.isMade && this.endedAtMs === undefined;
    switch (it.what) {
      case 'kill':
        if (this.endedAtMs === undefined && !this.failed && !this.refused && this.outcome === undefined)
          this.stops.push({
            atMs: performance.now(),
            graceMs: it.graceMs ?? GRACE_MS,
            signal: it.signal ?? SIGTERM,
          });
        this.#goOn();
        this.#supervisor.handle({
          type: 'kill',
          launch_id: ID,
          signal: it.signal,
          grace_ms: it.graceMs,
        });
        break;
      case 'pause':
      case 'resume':
        this.#supervisor.handle({ type: it.what, launch_id: ID });
        this.#standStill(it.what);
        break;
      case 'launch':
        this.launch();
        break;
      case 'list':
        this.#supervisor.handle({ type: 'list' });
        break;
      case 'ack':
        // The daemon acknowledges only what it was told.
        if (this.outcome !== undefined) this.#supervisor.handle({ type: 'ack', launch_ids: [ID] });
        break;
      case 'drain':
        this.#supervisor.handle({ type: 'drain' });
        break;
      case 'fullDisk':
      case 'roomyDisk':
        this.diskFull = it.what === 'fullDisk';
        break;
      case 'made':
        if (events === undefined || this.isMade || this.failed) break;
        this.madeAtMs = performance.now();
        this.open.add('stdout').add('stderr');
        if (this.hasChain) this.open.add('report');
        events.spawned({
          pid: PID,
          keepPid: () => () => undefined,
          holders: () => [],
          closeStreams: () => [...this.open].forEach((stream) => this.#close(stream)),
        });
        break;
      case 'notMade':
        if (events === undefined || this.isMade || this.failed) break;
        this.failed = true;
        events.failed('no luck', false);
        break;
      case 'groupDies':
        if (this.endedAtMs !== undefined) this.groupGone = true;
        break;
      case 'chainReaches':
        if (!this.open.has('report')) break;
        this.reachedAtMs ??= performance.now();
        events?.data('report', Buffer.from('ok\n'));
        break;
      case 'writes':
        if (!this.open.has(it.stream) || it.stream === 'report') break;
        if (this.outcome === undefined) this.written[it.stream] += 4;
        events?.data(it.stream, Buffer.from('text'));
        break;
      case 'closes':
        if (it.stream === 'report' && this.reachedAtMs !== undefined && this.open.has('report'))
          this.isReachKnown = true;
        this.#close(it.stream);
        break;
      case 'exits':
        if (!isAlive) break;
        this.endedAtMs = performance.now();
        this.exitCode = it.code;
        events?.exit({ exit_code: it.code, usage: {} });
        break;
      case 'passes':
        vi.advanceTimersByTime(it.ms);
    }
    await Promise.resolve();
    await Promise.resolve();
  }

  /** One that was told as started and is not being ended stands still when it is paused; what is asked for is answered. */
  #standStill(what: 'pause' | 'resume'): void {
    const isRunning = this.told.some(({ type }) => type === 'started') && this.endedAtMs === undefined;
    const isStopped = this.stops.length > 0 || this.told.some(({ type }) => type === 'timeout');
    if (!isRunning || this.outcome !== undefined) return;
    const answer = this.told.at(-1)?.type;
    if (what === 'resume') {
      expect(answer).toBe('resumed');
      this.#goOn();
    } else if (!isStopped) {
      expect(answer).toBe('paused');
      this.standsSince ??= performance.now();
    }
  }

  /** Says it, and expects nothing of the answer. */
  ask(what: 'pause' | 'resume'): void {
    this.#supervisor.handle({ type: what, launch_id: ID });
  }

  #goOn(): void {
    if (this.standsSince !== undefined) this.stoodMs += performance.now() - this.standsSince;
    this.standsSince = undefined;
  }

  #close(stream: StreamName): void {
    if (this.open.delete(stream)) this.events?.end(stream);
  }

  /** What must hold at every moment. */
  check(): void {
    expect(this.logged.filter((line) => line.includes('not dealt with'))).toEqual([]);
    for (const t of ['began', 'started', 'outcome'] as const)
      expect(this.#records(t).length, t).toBeLessThanOrEqual(1);
    expect(this.told.filter(({ type }) => type === 'timeout').length).toBeLessThanOrEqual(1);
    const turns = this.told.filter((message) => message.type === 'paused' || message.type === 'resumed');
    for (const [i, { type, at_ms }] of turns.entries()) {
      const before = turns[i - 1];
      if (before?.type === type) expect(at_ms).toBe(before.at_ms);
      else if (before !== undefined) expect(at_ms).toBeGreaterThan(before.at_ms);
    }
    const started = this.told.findIndex(({ type }) => type === 'started');
    const isSilent = performance.now() > (this.reachedAtMs ?? Infinity) + SILENCE_MS;
    if (isSilent && this.outcome === undefined) this.isReachKnown = true;
    if (this.isReachKnown || (this.isMade && !this.hasChain)) expect(started).toBeGreaterThanOrEqual(0);
    this.#checkStops();
    if (this.outcome !== undefined) this.#checkOutcome(this.outcome);
  }

  /** The first stop's signal, and KILL by the shortest grace. */
  #checkStops(): void {
    const made = this.madeAtMs;
    if (made === undefined) {
      expect(this.signals).toEqual([]);
      return;
    }
    const until = Math.min(this.endedAtMs ?? Infinity, performance.now());
    const timeout = this.told.find((message) => message.type === 'timeout');
    const wallTimeAtMs = Math.max(made, this.askedAtMs + this.wallTimeMs) + this.stoodMs;
    const stops = this.stops.map((stop) => ({ ...stop, atMs: Math.max(stop.atMs, made) }));
    if (timeout !== undefined) stops.push({ atMs: wallTimeAtMs, graceMs: GRACE_MS, signal: SIGTERM });
    const first = stops.reduce<Stop | undefined>(
      (a, b) => (a === undefined || b.atMs < a.atMs ? b : a),
      undefined,
    );
    const polite = new Set(this.signals.map(({ signal }) => signal).filter((signal) => signal !== SIGKILL));
    polite.delete(SIGCONT);
    polite.delete(SIGSTOP);
    const allowed = [
      (first?.graceMs ?? 0) > 0 ? first?.signal : undefined,
      timeout === undefined ? undefined : SIGTERM,
    ];
    for (const signal of polite) expect(allowed).toContain(signal);
    if (first !== undefined && first.graceMs > 0 && first.atMs < until && this.outcome?.failure === undefined)
      expect(this.signals).toContainEqual({ signal: first.signal, atMs: first.atMs });
    const killAtMs = Math.min(...stops.map(({ atMs, graceMs }) => atMs + graceMs));
    const kill = this.signals.find(({ signal }) => signal === SIGKILL);
    // A timer of Node rounds up to whole milliseconds.
    if (killAtMs + 1 < until) expect(kill?.atMs).toBeLessThanOrEqual(killAtMs + 1);
    if (kill !== undefined && this.endedAtMs === undefined)
      expect(kill.atMs).toBeGreaterThanOrEqual(killAtMs);
  }

  #checkOutcome(outcome: Outcome): void {
    const gaveUp = outcome.survivors !== undefined || this.endedAtMs === undefined;
    if (!this.failed && this.isMade && this.endedAtMs !== undefined && !gaveUp)
      expect(outcome.exit_code ?? outcome.failure).toBeDefined();
    if (outcome.failure === undefined) {
      const told = this.told.find((message) => message.type === 'timeout');
      expect(outcome.timeout_at_ms).toBe(told?.at_ms);
      expect(outcome.stdout.bytes).toBe(this.written.stdout);
      expect(outcome.stderr.bytes).toBe(this.written.stderr);
      expect(outcome.first_stop === undefined).toBe(this.stops.length === 0 && told === undefined);
      if (this.exitCode !== undefined && outcome.signal === undefined)
        expect(outcome.exit_code).toBe(this.exitCode);
    } else expect(this.told.filter(({ type }) => type === 'timeout' && !this.hasChain)).toEqual([]);
  }
}

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'],
  });
});
afterEach(() => vi.useRealTimers());

test('whatever happens in whatever order, a launch starts and ends once, as it was asked to', async () => {
  const plan = fc.record({
    hasChain: fc.boolean(),
    wallTimeMs: fc.constantFrom(0, 1000, 60_000),
    happenings: fc.array(happening, { maxLength: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ hasChain, wallTimeMs, happenings }) => {
      const world = new World(hasChain, wallTimeMs);
      world.launch();
      for (const each of happenings) {
        await world.happen(each);
        world.check();
      }
      // At the last everything is there that an end needs: a process or none, and time.
      await Promise.resolve();
      await world.happen({ what: 'made' });
      await world.happen({ what: 'kill', signal: undefined, graceMs: undefined });
      await world.happen({ what: 'passes', ms: GRACE_MS + GIVE_UP_MS });
      await world.happen({ what: 'passes', ms: GRACE_MS + GIVE_UP_MS });
      world.check();
      if (world.refused && world.outcome === undefined) expect(world.isMade).toBe(false);
      else expect(world.outcome).toBeDefined();
      // What its process still does afterwards is nobody's any more.
      const told = world.told.length;
      await world.happen({ what: 'writes', stream: 'stdout' });
      await world.happen({ what: 'exits', code: 1 });
      await world.happen({ what: 'passes', ms: 100_000 });
      expect(world.told.slice(told)).toEqual([]);
      expect(world.logged.filter((line) => line.includes('not dealt with'))).toEqual([]);
    }),
    { numRuns: 300 },
  );
}, 120_000);

test('a pause that cannot be had is given up, said why, and costs no wall time', async () => {
  const world = new World(false, 60_000);
  world.launch();
  await world.happen({ what: 'passes', ms: 1 });
  await world.happen({ what: 'made' });
  world.strays = [process.pid];
  const turns = () => world.told.filter(({ type }) => type === 'paused' || type === 'resumed');
  const reason = expect.stringMatching(/^not all of its processes could be stopped within 5 s/) as unknown;
  for (const times of [1, 2]) {
    world.ask('pause');
    // Whoever asks again meanwhile gets the same answer.
    world.ask('pause');
    await world.happen({ what: 'passes', ms: 4900 });
    expect(turns()).toHaveLength(times - 1);
    const stopped = world.signals.filter(({ signal }) => signal === SIGSTOP).length;
    expect(stopped).toBeGreaterThan(10);
    await world.happen({ what: 'passes', ms: 200 });
    expect(turns()).toHaveLength(times);
    expect(turns().at(-1)).toMatchObject({ type: 'resumed', reason });
    expect(world.signals.at(-1)?.signal).toBe(SIGCONT);
    await world.happen({ what: 'passes', ms: 5000 });
    expect(world.signals.at(-1)?.signal).toBe(SIGCONT);
  }
  world.strays = [];
  world.ask('pause');
  expect(turns().at(-1)).toMatchObject({ type: 'paused' });
  world.ask('resume');
  expect(turns().at(-1)).toEqual({ type: 'resumed', launch_id: ID, at_ms: expect.any(Number) as unknown });
  await world.happen({ what: 'passes', ms: 49_000 });
  expect(world.told.map(({ type }) => type)).not.toContain('timeout');
  await world.happen({ what: 'passes', ms: 11_000 });
  expect(world.told.map(({ type }) => type)).toContain('timeout');
});
