import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { cgroupDirs, subdirectories } from '../harness/cgroups.js';
import { http, listProcesses, script, waitFor } from '../harness/index.js';

/** As much of a daemon as is looked at. */
interface Subject {
  url: string;
  dataDir: string;
  cgroup: string;
}

/** What a test knows of its own. */
export interface Evidence {
  /** Ids whose submit was answered with 200. */
  acknowledged: Iterable<string>;
  /** The file to which each attempt of a {@link countedTask} adds the id of the task and its number when it runs. */
  runs: string;
}

interface TaskRow {
  task_id: string;
  status: string;
  cause: string | null;
  launch_id: number | null;
  past_attempts: number;
  reserved_at_ms: number | null;
  released_at_ms: number | null;
  started_at_ms: number | null;
  finished_at_ms: number | null;
  reservation_json: string;
  items_json: string | null;
}

interface AttemptRow {
  task_id: string;
  attempt: number;
  started_at_ms: number | null;
}

interface EventRow {
  seq: number;
  task_id: string;
  event_type: string;
  data_json: string | null;
}

const END_EVENT: Record<string, string> = { success: 'finished', failed: 'failed', cancelled: 'cancelled' };
/** Between the first events of a task and its last, each of these may come once for each attempt. */
const ONCE = ['resource_reserved', 'started', 'timeout_triggered', 'resource_released'];

/** A request whose task tells a file outside of its workspace that it runs, before anything else. */
export function countedTask(runs: string, body: string, more: object = {}): object {
  return script(`echo "$EXECGO_TASK_ID $EXECGO_ATTEMPT" >> ${runs}\n${body}`, more);
}

/**
 * Waits until no task is waiting or running and nothing of any is left on the machine.
 * @throws Error that says what is left
 */
export async function settled(daemon: Subject, timeoutMs = 60_000): Promise<void> {
  let left = '';
  const nothingLeft = () => {
    left = JSON.stringify(whatIsLeft(daemon));
    return left === '{}';
  };
  await waitFor(nothingLeft, { timeoutMs, what: 'the end of everything' }).catch((error: unknown) => {
    throw new Error(`not everything has ended: ${left}`, { cause: error });
  });
}

/** One sentence for each promise that is broken, once {@link settled}: empty when all is as it must be. */
export async function violations(daemon: Subject, { acknowledged, runs }: Evidence): Promise<string[]> {
  const db = new Database(join(daemon.dataDir, 'runtime.db'), { readonly: true });
  try {
    const tasks = db.prepare<[], TaskRow>('SELECT * FROM tasks').all();
    const events = db.prepare<[], EventRow>('SELECT * FROM task_events ORDER BY seq').all();
    const types = byTask(events);
    const attempts = db.prepare<[], AttemptRow>('SELECT * FROM attempts ORDER BY task_id, attempt').all();
    const counters = db.prepare<[], { name: string; value: number }>('SELECT * FROM counters').all();
    return [
      ...notKnown(tasks, acknowledged),
      ...wrongRuns(tasks, existsSync(runs) ? readFileSync(runs, 'utf8').split('\n').slice(0, -1) : []),
      ...events.filter((e, i) => e.seq !== i + 1).map((e) => `seq ${e.seq} does not follow the one before`),
      ...tasks.flatMap((task) => {
        const past = attempts.filter(({ task_id }) => task_id === task.task_id);
        return wrongRow(daemon.dataDir, task, past, types.get(task.task_id) ?? []);
      }),
      ...wrongItems(tasks, events),
      ...wrongCounters(tasks, new Map(counters.map((c) => [c.name, c.value]))),
      ...wrongQueues(db),
      ...wrongSessions(db, daemon.dataDir),
      ...wrongGroups(db),
      ...wrongReruns(db),
      ...(await wrongLedger(daemon)),
    ];
  } finally {
    db.close();
  }
}

function whatIsLeft({ dataDir, cgroup }: Subject): object {
  const tasks = readTasks(dataDir);
  const ids = new Set(tasks.map((t) => t.task_id));
  const found = {
    tasks: tasks.filter((t) => t.finished_at_ms === null),
    processes: listProcesses()
      .filter((p) => ids.has(p.env.get('EXECGO_TASK_ID') ?? ''))
      .map((p) => `${p.pid} ${p.command.slice(0, 100)}`),
    cgroups: cgroupDirs(cgroup).flatMap(subdirectories).flatMap(subdirectories),
  };
  return Object.fromEntries(Object.entries(found).filter(([, list]) => list.length > 0));
}

function readTasks(dataDir: string): Pick<TaskRow, 'task_id' | 'status' | 'finished_at_ms'>[] {
  const db = new Database(join(dataDir, 'runtime.db'), { readonly: true });
  try {
    return db
      .prepare<[], TaskRow>('SELECT task_id, status, launch_id, incarnation, pid, finished_at_ms FROM tasks')
      .all();
  } finally {
    db.close();
  }
}

function notKnown(tasks: readonly TaskRow[], acknowledged: Iterable<string>): string[] {
  const known = new Set(tasks.map((t) => t.task_id));
  return [...acknowledged]
    .filter((id) => !known.has(id))
    .map((id) => `${id} was acknowledged and is unknown`);
}

function wrongRuns(tasks: readonly TaskRow[], lines: readonly string[]): string[] {
  const times = new Map<string, number>();
  for (const attempt of lines) times.set(attempt, (times.get(attempt) ?? 0) + 1);
  const known = new Map(tasks.map((t) => [t.task_id, t]));
  const taskOf = (line: string) => known.get(line.split(' ')[0] ?? '');
  return [
    ...[...times].filter(([, n]) => n > 1).map(([attempt, n]) => `${attempt} ran ${n} times`),
    ...[...times.keys()]
      .filter((line) => taskOf(line) === undefined)
      .map((line) => `${line} ran and is unknown`),
    ...tasks
      .filter((t) => t.status === 'success' && !times.has(`${t.task_id} ${t.past_attempts + 1}`))
      .map((t) => `${t.task_id} is a success and never ran`),
    ...[...times.keys()].flatMap((line) => {
      const task = taskOf(line);
      const isLaunched = task === undefined || Number(line.split(' ')[1]) <= launches(task);
      return isLaunched ? [] : [`${line} ran without a launch`];
    }),
  ];
}

/** How many attempts of it were launched. */
function launches({ past_attempts, launch_id }: TaskRow): number {
  return past_attempts + (launch_id === null ? 0 : 1);
}

function byTask(events: readonly EventRow[]): Map<string, string[]> {
  const types = new Map<string, string[]>();
  for (const { task_id, event_type } of events) {
    const known = types.get(task_id);
    if (known === undefined) types.set(task_id, [event_type]);
    else known.push(event_type);
  }
  return types;
}

function wrongRow(
  dataDir: string,
  task: TaskRow,
  past: readonly AttemptRow[],
  types: readonly string[],
): string[] {
  const { task_id: id, status } = task;
  const problems: string[] = [];
  const check = (holds: boolean, problem: string) => {
    if (!holds)
      problems.push(`${id} (${status}, ${task.cause ?? 'no cause'}): ${problem}: ${types.join(' ')}`);
  };
  const count = (type: string) => types.filter((t) => t === type).length;
  check(types.slice(0, 3).join(' ') === 'submitted accepted planned', 'it does not begin as it must');
  check(
    types.findLast((t) => t !== 'group_done' && t !== 'retried') === END_EVENT[status],
    'its last event is not its end',
  );
  check(Object.values(END_EVENT).reduce((n, type) => n + count(type), 0) === 1, 'it does not end once');
  for (const type of ONCE) check(count(type) <= launches(task), `${type} more than once`);
  check(count('kill_requested') <= 1, 'kill_requested more than once');
  check(past.map((a) => a.attempt).join() === past.map((_, i) => i + 1).join(), 'its attempts have gaps');
  for (const n of [task.past_attempts, count('attempt_failed'), count('retry_scheduled')])
    check(n === past.length, 'its attempts are not told of once');
  check(count('resource_reserved') === count('resource_released'), 'what was reserved was not released once');
  check(count('resource_reserved') === launches(task), 'launched without a reservation');
  check((task.reserved_at_ms === null) === (task.released_at_ms === null), 'the row still holds something');
  // A start that was told after the kill was written down stands in the row only: history has them in one order.
  const startGivesWay = count('started') < launches(task) && count('kill_requested') === 1;
  check(
    count('started') === [...past, task].filter((a) => a.started_at_ms !== null).length || startGivesWay,
    'the row and its events differ about the start',
  );
  check(
    task.started_at_ms === null || task.started_at_ms <= (task.finished_at_ms ?? 0),
    'it ended before it started',
  );
  check(resultStatus(dataDir, task) === status, `result.json says ${resultStatus(dataDir, task)}`);
  return problems;
}

/** Each item belongs to one task from its reservation to its release, and to those that have reserved so many. */
function wrongItems(tasks: readonly TaskRow[], events: readonly EventRow[]): string[] {
  const problems: string[] = [];
  const holders = new Map<string, string>();
  for (const { task_id, event_type, data_json } of events) {
    const { items = {} } = JSON.parse(data_json ?? '{}') as { items?: Record<string, string[]> };
    if (event_type === 'resource_reserved')
      for (const item of Object.entries(items).flatMap(([name, own]) =>
        own.map((each) => `${name} ${each}`),
      )) {
        const holder = holders.get(item);
        if (holder !== undefined) problems.push(`${task_id} got ${item}, which ${holder} had`);
        holders.set(item, task_id);
      }
    if (event_type === 'resource_released')
      for (const [item, holder] of holders) if (holder === task_id) holders.delete(item);
  }
  for (const { task_id, launch_id, reservation_json, items_json } of tasks) {
    const { resources = {} } = JSON.parse(reservation_json) as { resources?: Record<string, number> };
    const items = JSON.parse(items_json ?? '{}') as Record<string, string[]>;
    const counts = Object.fromEntries(Object.entries(items).map(([name, own]) => [name, own.length]));
    const wanted = launch_id === null ? {} : resources;
    if (JSON.stringify(counts) !== JSON.stringify(wanted))
      problems.push(`${task_id} has ${JSON.stringify(items)}, not ${JSON.stringify(wanted)}`);
  }
  return problems;
}

function resultStatus(dataDir: string, { task_id }: TaskRow): string {
  const file = join(dataDir, 'tasks', task_id, 'result.json');
  if (!existsSync(file)) return 'nothing';
  return (JSON.parse(readFileSync(file, 'utf8')) as { status: string }).status;
}

function wrongCounters(tasks: readonly TaskRow[], counters: ReadonlyMap<string, number>): string[] {
  const sum = (of: (task: TaskRow) => number) => tasks.reduce((n, task) => n + of(task), 0);
  const expected = {
    accepted: tasks.length + sum((t) => t.past_attempts),
    running: sum(launches),
    success: tasks.filter((t) => t.status === 'success').length,
    failed: tasks.filter((t) => t.status === 'failed').length,
    cancelled: tasks.filter((t) => t.status === 'cancelled').length,
  };
  return Object.entries(expected)
    .filter(([name, value]) => (counters.get(`entered.${name}`) ?? 0) !== value)
    .map(([name, value]) => `counted ${counters.get(`entered.${name}`) ?? 0} × ${name}, there are ${value}`);
}

/** Counts of ended tasks that are kept by queue and lane, against the tasks. */
function wrongQueues(db: Database.Database): string[] {
  const counted = `sum(status = 'success') AS success, sum(status = 'failed') AS failed, sum(status = 'cancelled') AS cancelled
    FROM tasks WHERE status IN ('success', 'failed', 'cancelled')`;
  const differ = (kept: string, there: string) =>
    JSON.stringify(db.prepare(kept).all()) === JSON.stringify(db.prepare(there).all())
      ? []
      : [`not as kept: ${there}`];
  return [
    ...differ(
      'SELECT * FROM queue_ends ORDER BY queue',
      `SELECT queue, ${counted} GROUP BY queue ORDER BY queue`,
    ),
    ...differ(
      'SELECT * FROM lane_ends ORDER BY queue, lane',
      `SELECT queue, lane, ${counted} AND lane IS NOT NULL GROUP BY queue, lane ORDER BY queue, lane`,
    ),
  ];
}

/** Each session has a workspace, and nothing else has; what is counted of its tasks is what there is. */
function wrongSessions(db: Database.Database, dataDir: string): string[] {
  const rows = db
    .prepare<[], Record<string, unknown> & { session_id: string; removal: number }>(
      `SELECT session_id, removal, submitted, success, failed, cancelled FROM sessions WHERE state <> 'evicted' ORDER BY session_id`,
    )
    .all();
  const room = join(dataDir, 'sessions');
  const problems = rows.flatMap(({ session_id, removal, ...counts }) => {
    const there = db
      .prepare(
        `SELECT count(*) AS submitted, coalesce(sum(status = 'success'), 0) AS success, coalesce(sum(status = 'failed'), 0) AS failed,
          coalesce(sum(status = 'cancelled'), 0) AS cancelled FROM tasks WHERE session_id = ?`,
      )
      .get(session_id);
    return [
      ...(existsSync(join(room, session_id, 'workspace')) ? [] : [`session ${session_id} has no workspace`]),
      ...(removal === 1 ? [`session ${session_id} is to be deleted, and is there`] : []),
      ...(JSON.stringify(counts) === JSON.stringify(there)
        ? []
        : [`session ${session_id} counts ${JSON.stringify(counts)}, and has ${JSON.stringify(there)}`]),
    ];
  });
  const known = new Set(rows.map(({ session_id }) => session_id));
  const orphans = readdirSync(room).filter((name) => !known.has(name));
  return [...problems, ...orphans.map((name) => `directory ${name} belongs to no session`)];
}

/** Counts of tasks that are kept by group, against the tasks. */
function wrongGroups(db: Database.Database): string[] {
  const kept = db
    .prepare(
      'SELECT tenant, name, live, success, failed, cancelled, retried FROM groups ORDER BY tenant, name',
    )
    .all();
  const there = db
    .prepare(
      `SELECT coalesce(tenant, '') AS tenant, group_name AS name, sum(status IN ('accepted', 'running')) AS live,
        sum(status = 'success' AND retried_as IS NULL) AS success, sum(status = 'failed' AND retried_as IS NULL) AS failed,
        sum(status = 'cancelled' AND retried_as IS NULL) AS cancelled, sum(retried_as IS NOT NULL) AS retried
      FROM tasks WHERE group_name IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2`,
    )
    .all();
  return JSON.stringify(kept) === JSON.stringify(there)
    ? []
    : [`groups are not as kept: ${JSON.stringify({ kept, there })}`];
}

/** Who repeats whom, by both of them. */
function wrongReruns(db: Database.Database): string[] {
  const told = (sql: string) => JSON.stringify(db.prepare(`${sql} IS NOT NULL ORDER BY 1, 2`).raw().all());
  const [old, fresh] = [
    told('SELECT task_id, retried_as FROM tasks WHERE retried_as'),
    told('SELECT retry_of, task_id FROM tasks WHERE retry_of'),
  ];
  return old === fresh ? [] : [`${old} were run again, and there are ${fresh}`];
}

async function wrongLedger(daemon: Subject): Promise<string[]> {
  const { body } = await http(daemon.url).get('/api/v1/runtime/resources');
  const { reserved, active_reservations, accepted_waiting_tasks } = body;
  const idle = active_reservations.length === 0 && accepted_waiting_tasks === 0 && reserved.task_slots === 0;
  return idle ? [] : [`the ledger still holds something: ${JSON.stringify(body)}`];
}
