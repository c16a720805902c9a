import { collectDefaultMetrics, Counter, Gauge, Registry, type Histogram } from 'prom-client';
import { DURATION_BUCKETS_MS, type Counters } from '../../store/counters.js';
import { TASK_STATUSES } from '../../task/states.js';

/** The sources of the figures; all are kept up to date, so that a scrape counts nothing. */
export interface MetricSources {
  counters: () => Counters;
  running: () => number;
  paused: () => number;
  waiting: () => number;
  /** Those with a rule: what a caller may make up as a name must not become a series. */
  queues: () => QueueFigures[];
  /** Of the resources that the operator has named. */
  resources: () => ResourceFigures[];
  /** Garbage collections since the start, and the tasks and bytes they removed. */
  collected: () => { passes: number; removed: number; bytes: number };
  walBytes: () => number;
}

export interface ResourceFigures {
  resource: string;
  capacity: number;
  reserved: number;
}

export interface QueueFigures {
  queue: string;
  running: number;
  waiting: number;
  paused: boolean;
  /** How long the task that was submitted first has waited, in milliseconds; 0 when none waits. */
  oldestMs: number;
}

const EVENT_LOOP_PRECISION_MS = 1000;

const PREFIX = 'execgo_runtime_';

/** @returns a function that writes execgo's metrics, and Node's own, as Prometheus text 0.0.4 */
export function createMetrics(sources: MetricSources): () => Promise<string> {
  const register = new Registry();
  // By default its monitor of the event loop wakes an idle daemon a hundred times a second.
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
  new Counter({
    name: `${PREFIX}tasks_total`,
    help: 'Entries into each status since the database was made.',
    labelNames: ['status'],
    registers: [register],
    collect() {
      this.reset();
      const { entered } = sources.counters();
      for (const status of TASK_STATUSES) this.inc({ status }, entered[status]);
    },
  });
  new Counter({
    name: `${PREFIX}task_errors_total`,
    help: 'Ends of tasks with an error, by its code.',
    labelNames: ['code'],
    registers: [register],
    collect() {
      this.reset();
      for (const [code, count] of Object.entries(sources.counters().errors)) this.inc({ code }, count);
    },
  });
  new Counter({
    name: `${PREFIX}task_retries_total`,
    help: 'Attempts that failed and were followed by another, or by a wait for one, by cause.',
    labelNames: ['cause'],
    registers: [register],
    collect() {
      this.reset();
      for (const [cause, count] of Object.entries(sources.counters().retries)) this.inc({ cause }, count);
    },
  });
  new Counter({
    name: `${PREFIX}notifications_total`,
    help: 'Messages about ends that were settled, by how.',
    labelNames: ['state'],
    registers: [register],
    collect() {
      this.reset();
      const { delivered, given_up } = sources.counters().notices;
      this.inc({ state: 'delivered' }, delivered);
      this.inc({ state: 'given_up' }, given_up);
    },
  });
  gauge(register, 'notifications_pending', 'Messages about ends that are still to be delivered.', () => {
    const { written, delivered, given_up } = sources.counters().notices;
    return written - delivered - given_up;
  });
  const { collected } = sources;
  counter(register, 'gc_passes_total', 'Collections of garbage.', () => collected().passes);
  counter(
    register,
    'gc_removed_total',
    'Tasks that garbage collection has removed.',
    () => collected().removed,
  );
  counter(register, 'gc_bytes_total', 'Disk space it has given back, in bytes.', () => collected().bytes);
  gauge(register, 'tasks_kept', 'Ended tasks that may be collected.', () => sources.counters().kept.tasks);
  gauge(register, 'wal_bytes', "Length of the database's write-ahead log.", sources.walBytes);
  gauge(register, 'tasks_running', 'Tasks that run now.', sources.running);
  gauge(register, 'tasks_paused', 'Of these, tasks that are paused.', sources.paused);
  gauge(register, 'tasks_waiting', 'Tasks that are accepted and wait for room.', sources.waiting);
  const byQueue = byName(register, 'queue', sources.queues);
  byQueue('queue_running', 'Tasks of a queue with a rule that run now.', (q) => q.running);
  byQueue('queue_waiting', 'Tasks of it that wait.', (q) => q.waiting);
  byQueue('queue_paused', '1 while it is paused.', (q) => Number(q.paused));
  byQueue('queue_oldest_waiting_ms', 'How long the first submitted of them has waited.', (q) => q.oldestMs);
  const byResource = byName(register, 'resource', sources.resources);
  byResource('resource_capacity', 'What there is of a resource that is named.', (r) => r.capacity);
  byResource('resource_reserved', 'What running tasks have of it.', (r) => r.reserved);
  register.registerMetric(durationHistogram(() => sources.counters().duration));
  return () => register.metrics();
}

/** A counter whose total is kept elsewhere. */
function counter(register: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name: PREFIX + name,
    help,
    registers: [register],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

function gauge(register: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name: PREFIX + name,
    help,
    registers: [register],
    collect() {
      this.set(read());
    },
  });
}

/** Makes gauges that have a figure for each of something, by its name. */
function byName<L extends string, T extends Record<L, string>>(
  register: Registry,
  label: L,
  read: () => T[],
) {
  return (name: string, help: string, value: (each: T) => number): void => {
    new Gauge({
      name: PREFIX + name,
      help,
      labelNames: [label],
      registers: [register],
      collect() {
        this.reset();
        for (const each of read()) this.labels(each[label]).set(value(each));
      },
    });
  };
}

/** A histogram whose counts are kept in the database: prom-client's own can only observe one value after another. */
function durationHistogram(read: () => Counters['duration']): Histogram {
  const name = `${PREFIX}task_duration_ms`;
  const description = {
    name,
    help: 'Duration of tasks in milliseconds.',
    type: 'histogram',
    aggregator: 'sum',
  };
  const get = () => {
    const { buckets, sum, count } = read();
    const bucket = (le: number | string, value: number) => ({
      metricName: `${name}_bucket`,
      labels: { le },
      value,
    });
    const values = [
      ...DURATION_BUCKETS_MS.map((bound, i) => bucket(bound, buckets[i] ?? 0)),
      bucket('+Inf', count),
      { metricName: `${name}_sum`, labels: {}, value: sum },
      { metricName: `${name}_count`, labels: {}, value: count },
    ];
    return Promise.resolve({ ...description, values });
  };
  return { ...description, get } as unknown as Histogram;
}
