/** The load client: a process of its own, so that its work disturbs no other measurement. Takes a {@link LoadJob} a message. */
import { setTimeout as delay } from 'node:timers/promises';
import { Connection, requestBytes } from './connection.js';
import type { LoadJob, LoadResult, Send, SubmitAndWait } from './job.js';

/** How often to ask whether the daemon is idle, in milliseconds: little against the seconds that a job takes. */
const IDLE_POLL_MS = 20;
/** Longest wait that the daemon grants. */
const WAIT_MS = 60_000;

process.on('message', (job: LoadJob) => {
  run(job).then(
    (result) => process.send!({ result }),
    (error: unknown) => process.send!({ error: String(error) }),
  );
});

async function run(job: LoadJob): Promise<LoadResult> {
  const connections = await Promise.all(
    Array.from({ length: job.connections }, () => Connection.open(job.port)),
  );
  try {
    const cpu = process.cpuUsage();
    const began = performance.now();
    const latencies =
      job.kind === 'send' ? await sendAll(job, connections) : await submitAll(job, connections);
    const answeredMs = performance.now() - began;
    if (job.kind === 'send' && job.untilIdle === true) await untilIdle(connections[0]!);
    const ms = performance.now() - began;
    const { user, system } = process.cpuUsage(cpu);
    return { ms, answeredMs, latencies, cpuMs: (user + system) / 1000 };
  } finally {
    for (const connection of connections) connection.close();
  }
}

async function sendAll(job: Send, connections: Connection[]): Promise<number[]> {
  const requests = job.requests.map(({ method, path, body }) => requestBytes(method, path, body));
  const { everyMs } = job;
  const began = performance.now();
  return inTurn(job.count, connections, async (connection, i) => {
    const due = everyMs === undefined ? performance.now() : began + i * everyMs;
    const early = due - performance.now();
    if (early > 0) await delay(early);
    // A timer that rings late is no fault of the daemon, a connection that is not free yet is.
    const sentAt = early > 0 ? performance.now() : due;
    await connection.send(requests[i % requests.length]!);
    return performance.now() - sentAt;
  });
}

function submitAll(job: SubmitAndWait, connections: Connection[]): Promise<number[]> {
  const submit = requestBytes('POST', '/api/v1/tasks', JSON.stringify(job.task));
  return inTurn(job.count, connections, async (connection) => {
    const began = performance.now();
    const { task_id } = JSON.parse((await connection.send(submit)).toString()) as { task_id: string };
    const wait = requestBytes('GET', `/api/v1/tasks/${task_id}?wait_ms=${WAIT_MS}`);
    const { status } = JSON.parse((await connection.send(wait)).toString()) as { status: string };
    if (status !== 'success') throw new Error(`a task ended as ${status}`);
    return performance.now() - began;
  });
}

/** Gives the numbers 0 to `count` - 1 to whichever connection is free. */
async function inTurn(
  count: number,
  connections: Connection[],
  action: (connection: Connection, i: number) => Promise<number>,
): Promise<number[]> {
  const latencies: number[] = [];
  let next = 0;
  await Promise.all(
    connections.map(async (connection) => {
      for (let i = next++; i < count; i = next++) latencies.push(await action(connection, i));
    }),
  );
  return latencies;
}

async function untilIdle(connection: Connection): Promise<void> {
  const request = requestBytes('GET', '/api/v1/runtime/resources');
  for (;;) {
    const view = JSON.parse((await connection.send(request)).toString()) as {
      active_reservations: unknown[];
      accepted_waiting_tasks: number;
    };
    if (view.active_reservations.length + view.accepted_waiting_tasks === 0) return;
    await delay(IDLE_POLL_MS);
  }
}
