import { join } from 'node:path';
import { DATABASE_FILE } from '../../src/store/open.js';
import { http } from '../harness/http.js';
import { submit, waitForEnd } from '../harness/tasks.js';
import { waitFor } from '../harness/wait.js';
import type { BenchContext } from './bench.js';
import type { BenchDaemon } from './daemon.js';
import { templateTasks, type TemplateTask } from './seed-requests.js';

/** Enough that no two neighbours in a copied history are alike. */
const TEMPLATES = 300;

/** A history written by a daemon that has stopped, to be multiplied. */
export interface Templates {
  database: string;
  /** Absolute. */
  dataDir: string;
}

/** Runs real tasks of every kind through a daemon and ends it. */
export async function runTemplates(context: Pick<BenchContext, 'startDaemon'>): Promise<Templates> {
  const daemon = await context.startDaemon();
  const tasks: string[] = [];
  for (const template of templateTasks(TEMPLATES)) tasks.push(await runTemplate(daemon, template));
  for (const task of tasks) await waitForEnd(daemon, task);
  await daemon.end();
  return { database: join(daemon.dataDir, DATABASE_FILE), dataDir: daemon.dataDir };
}

async function runTemplate(daemon: BenchDaemon, { submission, kill }: TemplateTask): Promise<string> {
  const id = await submit(daemon, submission);
  const { get, post } = http(daemon.url);
  if (kill === 'running')
    await waitFor(async () => (await get(`/api/v1/tasks/${id}`)).body.status === 'running');
  if (kill !== undefined) await post(`/api/v1/tasks/${id}/kill`);
  return id;
}
