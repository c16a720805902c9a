import { setTimeout as delay } from 'node:timers/promises';
import { http } from '../harness/http.js';
import type { BenchDaemon } from './daemon.js';
import type { Request } from './load/job.js';
import type { LoadClient } from './load/load-client.js';
import { metric } from './load/run-tasks.js';
import { costOf } from './scale-cpu.js';

/** Connections that submits and kills come over. */
const CONNECTIONS = 16;
/** Waiting tasks that are killed in a round. */
const KILLED = 100;
const POLL_MS = 25;
const EVENTS_A_PAGE = 1000;

/** A tenant whose tasks wait until its slots are freed. */
const GATE = { tenant: 'gate', slots: 16 };
/** Flags of `serve` that {@link taskCosts} needs. */
export const GATE_FLAGS = [
  '--max-running-tasks',
  '64',
  '--tenant-quota',
  `${GATE.tenant}=slots:${GATE.slots}`,
];

/** What each task takes, in microseconds: processor time, and time that passes while many are on their way. */
export interface TaskCosts {
  submit: Cost;
  kill: Cost;
  dispatch: Cost;
}

interface Cost {
  cpu: number;
  elapsed: number;
}

/**
 * Fills the slots of a tenant, submits `count` tasks that have to wait for them, kills others that wait, then frees the
 * slots: so submitting, killing and running are measured apart. Running takes processor time of the supervisor, too.
 */
export async function taskCosts(client: LoadClient, daemon: BenchDaemon, count: number): Promise<TaskCosts> {
  const { pid, port } = daemon;
  const send = (requests: Request[], times: number) =>
    client.run({ kind: 'send', port, connections: Math.min(CONNECTIONS, times), count: times, requests });
  const [running, waiting] = [await now(daemon, 'running'), await now(daemon, 'waiting')];
  const holders = await accept(daemon, Array<object>(GATE.slots).fill(gated('/bin/sleep', '3600')));
  await until(daemon, 'running', running + GATE.slots);
  const task = gated('/bin/true');
  const request = { method: 'POST', path: '/api/v1/tasks', body: JSON.stringify(task) };
  const submit = await costOf([pid], count, () => send([request], count));
  const victims = await accept(daemon, Array<object>(KILLED).fill(task));
  const kill = await costOf([pid], KILLED, () => send(victims.map(killOf), KILLED));
  const before = await lastSeq(daemon, victims.at(-1)!);
  const { cpu } = await costOf([pid, daemon.supervisorPid], count, async () => {
    await send(holders.map(killOf), GATE.slots);
    await until(daemon, 'waiting', waiting);
    await until(daemon, 'running', running);
  });
  return { submit, kill, dispatch: { cpu, elapsed: ((await timeOfRuns(daemon, before)) * 1000) / count } };
}

/** Submits many at once. @returns their ids */
export async function accept(daemon: BenchDaemon, tasks: readonly object[]): Promise<string[]> {
  const { body, text } = await http(daemon.url).post<{ task_id: string }[]>('/api/v1/tasks/batch', { tasks });
  if (!Array.isArray(body)) throw new Error(`a batch was answered with ${text.slice(0, 500)}`);
  return body.map(({ task_id }) => task_id);
}

/** Waits until so many tasks run, or wait. */
export async function until(daemon: BenchDaemon, what: 'running' | 'waiting', count: number): Promise<void> {
  while ((await now(daemon, what)) !== count) await delay(POLL_MS);
}

function now(daemon: BenchDaemon, what: 'running' | 'waiting'): Promise<number> {
  return metric(daemon, `execgo_runtime_tasks_${what}`);
}

function gated(program: string, ...args: string[]): object {
  return { execution: { kind: 'command', program, args }, control_context: { tenant: GATE.tenant } };
}

function killOf(id: string): Request {
  return { method: 'POST', path: `/api/v1/tasks/${id}/kill` };
}

interface EventView {
  seq: number;
  event_type: string;
  timestamp: string;
}

async function lastSeq(daemon: BenchDaemon, id: string): Promise<number> {
  const { body } = await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`);
  return body.at(-1)!.seq;
}

/** From the first dispatch after `seq` to the last success after it, in milliseconds. */
async function timeOfRuns(daemon: BenchDaemon, seq: number): Promise<number> {
  let after = seq;
  let [first, last] = [Infinity, -Infinity];
  for (;;) {
    const path = `/api/v1/events?after_seq=${after}&limit=${EVENTS_A_PAGE}`;
    const { body } = await http(daemon.url).get<EventView[]>(path);
    for (const { event_type, timestamp } of body) {
      if (event_type === 'resource_reserved') first = Math.min(first, Date.parse(timestamp));
      if (event_type === 'finished') last = Math.max(last, Date.parse(timestamp));
    }
    if (body.length < EVENTS_A_PAGE) return last - first;
    after = body.at(-1)!.seq;
  }
}
