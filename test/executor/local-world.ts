import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { Attempt, Executor, Place } from '../../src/executor/executor.js';
import type { LocalExecutor as LocalExecutorClass } from '../../src/executor/local/local-executor.js';
import { createTaskFiles } from '../../src/runtime/files/task-files.js';
import { sweepCgroups } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { resolvePlan } from '../../src/sandbox/plan.js';
import { readBootId } from '../../src/sandbox/process/process-identity.js';
import { openStore } from '../../src/store/open.js';
import { submitSchema, type TaskSubmission } from '../../src/task/request.js';
import { taskPaths } from '../../src/task/task-paths.js';
import { EXECUTABLE } from '../harness/executable.js';
import { isAlive, processesOf } from '../harness/proc.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitGone } from '../harness/wait.js';
import { probeHost } from '../sandbox/hosts.js';
import { newTask, running, SUCCESS, waiting } from '../store/support.js';
import { OWN_GRACE_MS, type Work, type World } from './world.js';

/** The compiled class: it starts worker threads, which are files beside it. */
const BUILT = pathToFileURL(join(dirname(EXECUTABLE), '../src/executor/local/local-executor.js')).href;
const { LocalExecutor } = (await import(BUILT)) as { LocalExecutor: typeof LocalExecutorClass };

/** Real supervisors, a real store and real programs, in a data directory of the test's own. */
export async function localWorld(): Promise<World> {
  const dataDir = tempDir();
  for (const dir of ['tasks', 'supervisor', 'trash', 'sessions'])
    mkdirSync(join(dataDir, dir), { mode: 0o700 });
  const { capabilities, layout } = await probeHost({ dataDir });
  const store = openStore({ dataDir, now: Date.now, bootId: readBootId() });
  const attempts = new Map<number, Attempt>();
  const executors: Executor[] = [];
  const pids = new Set<number>();
  const seePlaces = () => {
    for (const { pid } of store.supervisors.all()) pids.add(pid);
  };
  onTestFinished(async () => {
    seePlaces();
    for (const executor of executors) await executor.close(false);
    for (const pid of pids) await killHard(pid);
    for (const { launch_token } of attempts.values())
      for (const { pid } of processesOf(launch_token)) await killHard(pid);
    await sweepCgroups(layout, () => false);
    store.close();
  });

  const commit = (attempt: Attempt) =>
    store.commits.write(() => {
      const { task_id, launch_id, launch_token, incarnation } = attempt;
      store.newTasks.insert(newTask(task_id));
      const launch = { launch_id, launch_token, incarnation, shim_pid: 1, at_ms: Date.now() };
      store.changes.dispatch(waiting(store, task_id), { ...launch, events: [] });
    });
  /** Has the end committed that is taken. */
  const commitEnd = async ({ task_id, launch_id }: Attempt, taken: Promise<boolean>) => {
    if (!(await taken)) return false;
    await store.commits.write(() => store.changes.end(running(store, task_id, launch_id), SUCCESS));
    return true;
  };

  const workspace = (attempt: Attempt) =>
    taskPaths(dataDir, attempt.task_id, attempt.request, 1).workspace_dir;
  return {
    open: (events) => {
      const executor = new LocalExecutor(
        {
          root: join(dataDir, 'supervisor'),
          version: 'test',
          bootId: readBootId(),
          entry: EXECUTABLE,
          launcher: 'auto',
          store,
          log: pino({ enabled: false }),
          now: Date.now,
          settings: {
            dataDir,
            terminationGraceMs: OWN_GRACE_MS,
            outputKeepBytes: 4096,
            allowRootfs: [],
            resources: new Map(),
            baseEnv: { PATH: '/usr/local/bin:/usr/bin:/bin' },
            capabilities,
            cgroupLayout: layout,
          },
        },
        {
          started: (...told) => {
            events.started(...told);
          },
          paused: (...told) => {
            events.paused(...told);
          },
          resumed: (...told) => {
            events.resumed(...told);
          },
          timedOut: (...told) => {
            events.timedOut(...told);
          },
          refused: (...told) => {
            events.refused(...told);
          },
          ready: () => {
            events.ready();
          },
          ended: (attempt, outcome) => commitEnd(attempt, events.ended(attempt, outcome)),
          lost: (attempt, running) => commitEnd(attempt, events.lost(attempt, running)),
        },
      );
      executors.push(executor);
      return executor;
    },
    attempt: (work, { incarnation }) => {
      const launch_id = attempts.size + 1;
      const task_id = `task-${launch_id}`;
      const request = submitSchema.parse({ task_id, ...program(work) });
      createTaskFiles(dataDir, task_id, request);
      const { plan } = resolvePlan(request, capabilities, { capabilityMode: 'adaptive', wallTimeMs: 0 });
      const attempt = {
        task_id,
        number: 1,
        launch_id,
        launch_token: randomUUID(),
        incarnation,
        request,
        plan,
      };
      attempts.set(launch_id, attempt);
      void commit(attempt);
      return attempt;
    },
    begun: (attempt) => linesOf(join(workspace(attempt), 'begun')),
    progress: (attempt) => linesOf(join(workspace(attempt), 'progress')),
    runs: ({ launch_token }) => processesOf(launch_token).length > 0,
    output: ({ task_id, number, request }) =>
      readFileSync(taskPaths(dataDir, task_id, request, number).stdout_path, 'utf8'),
    finish: (attempt) => {
      writeFileSync(join(workspace(attempt), 'finish'), '');
    },
    crash: async ({ pid }: Place) => {
      seePlaces();
      await killHard(pid);
    },
    lives: ({ pid }) => {
      seePlaces();
      return isAlive(pid);
    },
  };
}

/** Each says in its workspace that it has begun, once it is ready for signals. */
function program(work: Work): Omit<TaskSubmission, 'task_id'> {
  const begin = 'echo begun >> begun';
  const sh = (text: string, limits: TaskSubmission['limits'] = {}) => ({
    execution: { kind: 'command' as const, program: '/bin/sh', args: ['-c', text] },
    limits,
  });
  switch (work.does) {
    case 'exit':
      return sh(`${begin}; exit ${work.code}`);
    case 'nothing':
      return { execution: { kind: 'command', program: '/nonexistent/program' } };
    case 'wait':
      return sh(`${begin}; echo begun; while ! [ -e finish ]; do sleep 0.02; done; echo finished`, {
        wall_time_ms: work.wallTimeMs,
      });
    case 'run':
      return sh(`${begin}; while :; do echo on >> progress; sleep 0.02; done`, {
        wall_time_ms: work.wallTimeMs,
      });
    case 'resist':
      return sh(`trap '' TERM INT; ${begin}; while :; do sleep 600; done`);
  }
}

function linesOf(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

async function killHard(pid: number): Promise<void> {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  await waitGone(pid);
}
