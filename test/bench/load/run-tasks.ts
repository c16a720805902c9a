import { http } from '../../harness/http.js';
import type { BenchDaemon } from '../daemon.js';
import { cpuMs } from '../probes/process-cpu.js';
import type { LoadJob } from './job.js';
import type { LoadClient } from './load-client.js';

/** As many connections as the budgets are made for. */
const CONNECTIONS = 16;

/** A request that does as little as a task can. */
export const TRUE = { execution: { kind: 'command', program: '/bin/true' } };

export interface TaskLoad {
  task: object;
  count: number;
  connections?: number;
  /** So many tasks a request; `count` has to be a multiple of it. */
  batchOf?: number;
  /** Each connection waits for the end of its task before it submits the next. */
  closedLoop?: boolean;
}

/** What tasks took, from the first submit until all of them had ended. */
export interface Cost {
  perSecond: number;
  submitsPerSecond: number;
  /** Processor time of the daemon for each task, in milliseconds; so are the next two. */
  daemonMs: number;
  supervisorMs: number;
  clientMs: number;
  /** Of each submit, or of each task in a closed loop, in milliseconds. */
  latencies: number[];
}

/** Runs tasks through the daemon. @throws Error unless each of them ended as `success` */
export async function runTasks(client: LoadClient, daemon: BenchDaemon, load: TaskLoad): Promise<Cost> {
  const { count } = load;
  const usage = () => ({ daemon: cpuMs(daemon.pid), supervisor: cpuMs(daemon.supervisorPid) });
  const [succeeded, before] = [await successes(daemon), usage()];
  const result = await client.run(jobOf(daemon.port, load));
  const after = usage();
  const missing = count - ((await successes(daemon)) - succeeded);
  if (missing !== 0) throw new Error(`${missing} of ${count} tasks did not succeed`);
  return {
    perSecond: (count / result.ms) * 1000,
    submitsPerSecond: (count / result.answeredMs) * 1000,
    daemonMs: (after.daemon - before.daemon) / count,
    supervisorMs: (after.supervisor - before.supervisor) / count,
    clientMs: result.cpuMs / count,
    latencies: result.latencies,
  };
}

function jobOf(port: number, { task, count, connections, batchOf, closedLoop }: TaskLoad): LoadJob {
  const shared = { port, connections: connections ?? CONNECTIONS };
  if (closedLoop === true) return { ...shared, kind: 'submit-and-wait', task, count };
  if (batchOf === undefined) {
    const request = { method: 'POST', path: '/api/v1/tasks', body: JSON.stringify(task) };
    return { ...shared, kind: 'send', count, requests: [request], untilIdle: true };
  }
  const body = JSON.stringify({ tasks: Array.from({ length: batchOf }, () => task) });
  const request = { method: 'POST', path: '/api/v1/tasks/batch', body };
  return {
    ...shared,
    connections: 1,
    kind: 'send',
    count: count / batchOf,
    requests: [request],
    untilIdle: true,
  };
}

/** How many tasks of a daemon have ended as `success` since its database was made. */
export function successes(daemon: BenchDaemon): Promise<number> {
  return metric(daemon, 'execgo_runtime_tasks_total{status="success"}');
}

/** The value of one series of `/metrics`. @throws Error when there is none */
export async function metric(daemon: BenchDaemon, series: string): Promise<number> {
  const { text } = await http(daemon.url).get('/metrics');
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  if (line === undefined) throw new Error(`/metrics does not tell ${series}`);
  return Number(line.slice(series.length + 1));
}
