import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { http, submit, tempDir, waitFor, waitForEnd } from '../harness/index.js';
import type { TaskView } from '../../src/task/view.js';

interface Served {
  url: string;
}

/** A data directory that any user may get to, as far as what is above it goes. */
export function reachableDataDir(): string {
  const dir = tempDir();
  chmodSync(dir, 0o711);
  const data = join(dir, 'data');
  mkdirSync(data, { mode: 0o700 });
  return data;
}

/** A request that runs Python text. */
export function python(text: string, more: object = {}): object {
  return { execution: { kind: 'command', program: 'python3', args: ['-c', text] }, ...more };
}

/** Submits a task and waits until its stdout holds `word`. */
export async function submitAndSee(daemon: Served, request: object, word: string): Promise<string> {
  const id = await submit(daemon, request);
  await waitFor(async () => (await status(daemon, id)).stdout.includes(word), {
    what: `${JSON.stringify(word)} on stdout of task ${id}`,
  });
  return id;
}

/** The status object as it is now. */
export async function status(daemon: Served, id: string): Promise<TaskView> {
  return (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
}

/** Kills a task and waits for its end. `query` goes to the kill, e.g. `grace_ms=0`. */
export async function kill(daemon: Served, id: string, query = ''): Promise<TaskView> {
  await http(daemon.url).post(`/api/v1/tasks/${id}/kill?${query}`);
  return waitForEnd(daemon, id);
}

/** `Name: value` lines of /proc files and `name value` lines of cgroup files, by name. */
export function fields(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const match = /^([\w()]+):?\s+(.*)$/.exec(line);
      return match === null ? [] : [[match[1] ?? '', (match[2] ?? '').trim()] as const];
    }),
  );
}
