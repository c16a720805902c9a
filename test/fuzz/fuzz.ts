import { readFileSync } from 'node:fs';
import http from 'node:http';
import { settled } from '../faults/invariants.js';
import { http as client, openFds, startDaemon, waitFor, type Daemon } from '../harness/index.js';
import { Random } from './random.js';
import { makeRequest, readSpecification, type FuzzRequest } from './requests.js';
import { send } from './send.js';

/** Requests under way at once. */
const CONCURRENT = 8;
/** What the daemon may grow by: pages of the database and texts that it keeps, no share of each request. Bytes. */
const GROWTH_MAX = 150 * 1_048_576;
/** Descriptors that come and go with what the daemon does by itself. */
const FDS_MORE = 8;

export interface FuzzOptions {
  seed: number;
  requests: number;
}

export interface FuzzResult {
  seed: number;
  requests: number;
  seconds: number;
  /** Status, or how else it ended → how many. */
  answers: Record<string, number>;
  memoryBefore: number;
  memoryAfter: number;
  fdsBefore: number;
  fdsAfter: number;
  /** What must not have been, each with the request that brought it about. */
  problems: string[];
}

/**
 * Sends requests that follow from a seed to a daemon of its own, and looks at what they leave behind.
 * @throws Error when something does not end
 */
export async function fuzz({ seed, requests }: FuzzOptions): Promise<FuzzResult> {
  const daemon = await startDaemon({ flags: ['--retain-max-tasks', '200', '--termination-grace-ms', '200'] });
  const api = client(daemon.url);
  const spec = readSpecification((await api.get('/openapi.json')).text);
  const { reserved: reservedBefore } = (await api.get('/api/v1/runtime/resources')).body;
  const port = Number(new URL(daemon.url).port);
  const problems: string[] = [];
  const answers: Record<string, number> = {};
  const started = performance.now();
  const [fdsBefore, memoryBefore] = [openFds(daemon.pid).size, residentBytes(daemon.pid)];
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONCURRENT });
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < requests && problems.length < 10) {
      const index = next++;
      const request = makeRequest(new Random(seed * 1_000_003 + index), spec);
      const { status, problem } = await send(port, agent, request);
      answers[status] = (answers[status] ?? 0) + 1;
      if (problem !== undefined) problems.push(`request ${index}: ${problem}\n  ${shown(request)}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, work));
  agent.destroy();
  await endAll(daemon);
  await settled(daemon);
  const { reserved, accepted_waiting_tasks: waiting } = (await api.get('/api/v1/runtime/resources')).body;
  if (JSON.stringify(reserved) !== JSON.stringify(reservedBefore) || waiting !== 0)
    problems.push(`the ledger holds ${JSON.stringify(reserved)}, and ${waiting} tasks wait`);
  for (const line of daemon.logs().filter(({ level }) => level >= 50))
    problems.push(`logged: ${JSON.stringify(line)}`);
  // Workers that nothing asks any more end by themselves, and with them their descriptors.
  const few = () => openFds(daemon.pid).size <= fdsBefore + FDS_MORE;
  await waitFor(few).catch(() => problems.push(`open: ${JSON.stringify([...openFds(daemon.pid)])}`));
  const memoryAfter = residentBytes(daemon.pid);
  if (memoryAfter > memoryBefore + GROWTH_MAX)
    problems.push(`memory went from ${memoryBefore} to ${memoryAfter}`);
  const seconds = Math.round((performance.now() - started) / 1000);
  const fdsAfter = openFds(daemon.pid).size;
  return { seed, requests: next, seconds, answers, memoryBefore, memoryAfter, fdsBefore, fdsAfter, problems };
}

/** Deletes the schedules, and kills what still waits or runs, whoever owns it. */
async function endAll({ url }: Daemon): Promise<void> {
  const api = client(url);
  const { schedules } = (await api.get('/api/v1/schedules?limit=200')).body;
  for (const { name } of schedules as { name: string }[]) {
    // The list has no tasks.
    const { task } = (await api.get(`/api/v1/schedules/${name}`)).body as {
      task: { control_context?: { owner?: string } };
    };
    const owner = task.control_context?.owner;
    const headers: Record<string, string> = owner === undefined ? {} : { 'x-execgo-owner': owner };
    await api.request('DELETE', `/api/v1/schedules/${name}`, { headers });
  }
  const { tasks } = (await api.get('/api/v1/tasks?status=accepted,running&limit=1000')).body;
  for (const { task_id, owner } of tasks as { task_id: string; owner?: string }[])
    await api.post(
      `/api/v1/tasks/${task_id}/kill`,
      undefined,
      owner === undefined ? {} : { 'x-execgo-owner': owner },
    );
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** A request so that it can be sent again. */
function shown(request: FuzzRequest): string {
  return request.kind === 'bytes'
    ? `bytes in base64: ${request.bytes.toString('base64')}`
    : JSON.stringify(request);
}
