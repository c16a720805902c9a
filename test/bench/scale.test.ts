import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { execgo, http, submitAndWait, command, tempDir } from '../harness/index.js';
import { type BenchDaemon, type BenchDaemonOptions, startBenchDaemon } from './daemon.js';
import { assess } from './figure.js';
import { metric } from './load/run-tasks.js';
import { plotScale } from './plot.js';
import { parseName, scaleFigure } from './scale-figures.js';
import { History } from './scale-history.js';
import { runTemplates } from './seed-templates.js';

test('a multiplied history is one that the daemon could have written', async () => {
  const started: BenchDaemon[] = [];
  const startDaemon = async (options?: BenchDaemonOptions) => {
    const daemon = await startBenchDaemon(tempDir(), options);
    started.push(daemon);
    return daemon;
  };
  try {
    const templates = await runTemplates({ startDaemon });
    const empty = await startDaemon();
    await submitAndWait(empty, command('true', [], { task_id: 'before' }));
    await empty.end();
    const { dataDir } = empty;
    const history = new History(dataDir, templates);
    history.growTo(500);
    const [some] = history.sample(10);

    const db = new Database(`${dataDir}/runtime.db`, { readonly: true });
    const count = (sql: string) => db.prepare(sql).pluck().get();
    const tasks = count('SELECT count(*) FROM tasks') as number;
    expect(tasks).toBe(601);
    expect(count("SELECT value FROM counters WHERE name = 'entered.accepted'")).toBe(tasks);
    expect(count('SELECT sum(success + failed + cancelled) FROM queue_ends')).toBe(tasks);
    expect(count('SELECT count(DISTINCT version) FROM tasks')).toBe(tasks);
    const times = 'max(created_at_ms, updated_at_ms, finished_at_ms, ages_from_ms)';
    expect(count(`SELECT count(*) FROM tasks WHERE ${times} > ${Date.now()}`)).toBe(0);
    db.close();

    const daemon = await startDaemon({ dataDir, flags: ['--result-retention-secs', '315360000'] });
    expect(await metric(daemon, 'execgo_runtime_tasks_kept')).toBe(tasks);
    const { body } = await http(daemon.url).get(`/api/v1/tasks/${some!}`);
    expect(body.artifacts.task_dir).toBe(`${dataDir}/tasks/${some!}`);
    await submitAndWait(daemon, command('true', [], { task_id: 'after' }));
    const doctor = await execgo(['doctor', '--json', '--data-dir', dataDir]);
    const { findings } = JSON.parse(doctor.stdout) as { findings: { check: string; level: string }[] };
    expect(findings.filter((f) => f.level === 'problem' && f.check !== 'files')).toEqual([]);
    const older_than_ms = history.ageOfOldest(40);
    const { body: report } = await http(daemon.url).post('/api/v1/gc', { older_than_ms });
    expect(report.removed).toBeGreaterThanOrEqual(40);
    expect(await metric(daemon, 'execgo_runtime_tasks_kept')).toBe(tasks + 1 - report.removed);
  } finally {
    for (const daemon of started) await daemon.end();
  }
});

test('the plot shows each operation at each size, and nothing where nothing was measured', () => {
  const figure = (finished: number, waiting: number, us: number) =>
    assess(
      scaleFigure(
        { operation: 'status', unit: 'µs', rounds: [us], reference: [100] },
        { finished, waiting },
        false,
      ),
    );
  const figures = [figure(0, 0, 90), figure(1_000_000, 0, 110), figure(1_000_000, 10_000, 900)];
  expect(parseName(figures[2]!.figure.name)).toEqual({
    operation: 'status',
    finished: 1_000_000,
    waiting: 10_000,
  });
  const machine = { cores: 2, cpu: '', memory_gb: 1, kernel: '', node: '', file_system: '', load: 0 };
  const report = { date: '2026-01-01T00:00:00Z', machine, quick: false, rounds: 1, seconds: 1 };
  const svg = plotScale({ ...report, benches: [{ name: 'scale', figures }] });
  expect(svg).toContain('status: 110 µs, 1.10 ×');
  expect(svg?.match(/<circle/g)).toHaveLength(2);
  expect(svg).not.toMatch(/NaN|undefined/);
  expect(plotScale({ ...report, benches: [] })).toBeUndefined();
});
