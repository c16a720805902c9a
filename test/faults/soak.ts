import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Daemon, http, isAlive, startDaemon, tempDir } from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';
import { withDatabase } from './support.js';

export interface SoakOptions {
  seed: number;
  /** How long clients submit and processes die; what is left then gets time to end. */
  seconds: number;
}

export interface SoakResult {
  /** One sentence for each broken promise. */
  violations: string[];
  acknowledged: number;
  /** By what was done to daemon and supervisor, how often. */
  deaths: Record<string, number>;
  /** By final status, how many. */
  ends: Record<string, number>;
}

const CLIENTS = 4;
const FINAL: readonly string[] = ['success', 'failed', 'cancelled'];
/** Pauses between two deaths, in milliseconds. */
const PAUSE = [200, 2500] as const;
const SETTLE_MS = 120_000;

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * Clients submit, kill and wait while daemon and supervisor are killed, stopped and started again at random. What comes
 * in which order is up to the machine: the seed decides what each client and the killer choose.
 */
export async function soak({ seed, seconds }: SoakOptions): Promise<SoakResult> {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({
    flags: ['--max-running-tasks', '8', '--max-queued-tasks', '64', '--termination-grace-ms', '300'],
  });
  const world = new World(daemon, runs, performance.now() + seconds * 1000);
  const clients = Array.from({ length: CLIENTS }, (_, i) => client(world, seeded(seed * 100 + i)));
  const deaths = await killer(world, seeded(seed * 100 + CLIENTS));
  await Promise.all(clients);
  for (const id of world.acknowledged) await world.request('POST', `/api/v1/tasks/${id}/kill`);
  await settled(daemon, SETTLE_MS);
  const broken = await violations(daemon, { acknowledged: world.acknowledged, runs });
  return {
    violations: [...world.problems, ...broken],
    acknowledged: world.acknowledged.size,
    deaths,
    ends: ends(daemon),
  };
}

/** What clients and killer share. */
class World {
  readonly acknowledged = new Set<string>();
  readonly problems: string[] = [];
  /** False while there is no daemon to talk to. */
  up = true;
  private readonly finals = new Map<string, string>();

  constructor(
    readonly daemon: Daemon,
    readonly runs: string,
    private readonly until: number,
  ) {}

  get over(): boolean {
    return performance.now() >= this.until;
  }

  /** Undefined when the daemon died meanwhile. */
  async request(method: string, path: string, body?: object) {
    return http(this.daemon.url)
      .request(method, path, body === undefined ? {} : { body })
      .catch(() => undefined);
  }

  /** An answer that must be the status object of a task that was acknowledged. */
  see(id: string, answer: Awaited<ReturnType<World['request']>>): void {
    if (answer === undefined) return;
    const status = String(answer.body?.status);
    if (answer.status !== 200) this.problems.push(`${id} was answered with ${answer.status}: ${answer.text}`);
    const before = this.finals.get(id);
    if (before !== undefined && before !== status) this.problems.push(`${id} was ${before} and is ${status}`);
    if (FINAL.includes(status)) this.finals.set(id, status);
  }
}

async function client(world: World, random: () => number): Promise<void> {
  const ids: string[] = [];
  while (!world.over) {
    if (!world.up) {
      await delay(20);
      continue;
    }
    const id = ids[Math.floor(random() * ids.length)];
    const action = random();
    if (id === undefined || action < 0.6) {
      const fresh = await submitOnce(world, random);
      if (fresh !== undefined) ids.push(fresh);
    } else if (action < 0.75) world.see(id, await world.request('POST', `/api/v1/tasks/${id}/kill`));
    else
      world.see(id, await world.request('GET', `/api/v1/tasks/${id}?wait_ms=${Math.floor(random() * 500)}`));
    await delay(random() * 40);
  }
}

/** Submits until there is an answer: the key sees to it that the task exists once. */
async function submitOnce(world: World, random: () => number): Promise<string | undefined> {
  const idempotency_key = `key-${Math.floor(random() * 2 ** 48)}`;
  const request = { ...someTask(world.runs, random), control_context: { idempotency_key } };
  while (!world.over) {
    const answer = world.up ? await world.request('POST', '/api/v1/tasks', request) : undefined;
    if (answer?.status === 200) {
      world.acknowledged.add(answer.body.task_id);
      return answer.body.task_id as string;
    }
    // The queue is full, or the daemon is on its way out.
    if (answer?.status === 429) return undefined;
    if (answer !== undefined && answer.status !== 503)
      world.problems.push(`a submit was answered with ${answer.status}: ${answer.text}`);
    await delay(20);
  }
  return undefined;
}

function someTask(runs: string, random: () => number): object {
  const bodies: [body: string, more?: object][] = [
    ['true'],
    ['exit 7'],
    [`sleep ${random().toFixed(2)}; echo done`],
    ['exec sleep 600', { limits: { wall_time_ms: 400 } }],
    ["trap '' TERM; while :; do sleep 0.05; done", { limits: { wall_time_ms: 400 } }],
    ['setsid sleep 600 & sleep 0.1'],
    ['head -c 300000 /dev/zero | tr "\\0" x', { limits: { stdout_keep_bytes: 1000 } }],
    ['sleep 0.2', { limits: { memory_bytes: 64 << 20, pids_max: 20 } }],
    ['kill -KILL $$'],
  ];
  const [body, more] = bodies[Math.floor(random() * bodies.length)]!;
  return countedTask(runs, body, more);
}

/** Returns with a daemon that serves, and no supervisor stopped. */
async function killer(world: World, random: () => number): Promise<Record<string, number>> {
  const { daemon } = world;
  const restart = async () => {
    await daemon.restart();
    world.up = true;
  };
  const killDaemon = async () => {
    world.up = false;
    await daemon.kill();
  };
  const deeds: Record<string, () => Promise<void>> = {
    'kill -9 daemon': async () => {
      await killDaemon();
      await delay(random() * 500);
      await restart();
    },
    'kill -9 supervisor': async () => signalSupervisors(daemon, 'SIGKILL'),
    'kill -9 daemon, then supervisor': async () => {
      await killDaemon();
      signalSupervisors(daemon, 'SIGKILL');
      await restart();
    },
    'kill -9 supervisor, then daemon': async () => {
      signalSupervisors(daemon, 'SIGKILL');
      await delay(random() * 100);
      await killDaemon();
      await restart();
    },
    'stop and start the daemon': async () => {
      world.up = false;
      await restart();
    },
    'stop and go on with the supervisor': async () => {
      signalSupervisors(daemon, 'SIGSTOP');
      await delay(random() * 500);
      signalSupervisors(daemon, 'SIGCONT');
    },
  };
  const names = Object.keys(deeds);
  const done: Record<string, number> = {};
  while (!world.over) {
    await delay(PAUSE[0] + random() * (PAUSE[1] - PAUSE[0]));
    const name = names[Math.floor(random() * names.length)]!;
    done[name] = (done[name] ?? 0) + 1;
    await deeds[name]!();
  }
  return done;
}

/** To every supervisor that is recorded and lives. */
function signalSupervisors({ dataDir }: Daemon, signal: NodeJS.Signals): void {
  const pids = withDatabase(dataDir, (db) => db.prepare('SELECT pid FROM supervisors').pluck().all());
  for (const pid of pids as number[]) if (isAlive(pid)) process.kill(pid, signal);
}

function ends({ dataDir }: Daemon): Record<string, number> {
  const rows = withDatabase(dataDir, (db) =>
    db
      .prepare<[], { name: string; n: number }>(
        "SELECT status || ' ' || cause AS name, count(*) AS n FROM tasks GROUP BY 1 ORDER BY 1",
      )
      .all(),
  );
  return Object.fromEntries(rows.map(({ name, n }) => [name, n]));
}
