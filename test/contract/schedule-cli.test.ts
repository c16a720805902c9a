import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { scheduleCard } from '../../src/cli/commands/schedule-show.js';
import { examples } from '../../src/task/examples.js';
import { execgo } from '../cli/execgo.js';
import { http, startDaemon, waitForEnd } from '../harness/index.js';

test('schedules are made, shown, changed, run, paused and deleted at the command line', async () => {
  const daemon = await startDaemon();
  const cli = (...args: string[]) =>
    execgo(['schedule', ...args], { server: daemon.url, env: { TZ: 'Asia/Tokyo' } });
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli(...args);
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout.toString());
  };
  const made = await json(
    'add',
    'nightly',
    '0 3 * * *',
    '--memory',
    '64M',
    '--workspace',
    '--',
    'echo',
    '--paused',
  );
  expect(made).toMatchObject({
    ...{ name: 'nightly', cron: '0 3 * * *', timezone: 'Asia/Tokyo', overlap: 'skip', paused: false },
    task: {
      execution: { kind: 'command', program: 'echo', args: ['--paused'] },
      limits: { wall_time_ms: 0, memory_bytes: 67_108_864 },
    },
  });
  expect(made.next[0]).toMatch(/T18:00:00.000Z$/);
  const flags = [
    '--every',
    '10m',
    '--overlap',
    'queue',
    '--catch-up',
    'all',
    '--catch-up-max',
    '3',
    '--grace',
    '5m',
  ];
  expect(await json('add', 'poll', ...flags, '--jitter', '30s', '--paused', '--', 'true')).toMatchObject({
    ...{ interval_ms: 600_000, overlap: 'queue', catch_up: 'all', catch_up_max: 3 },
    ...{ grace_ms: 300_000, jitter_ms: 30_000, paused: true, next: [] },
  });
  const listed = await json('list');
  expect(listed.schedules.map(({ name }: { name: string }) => name)).toEqual(['nightly', 'poll']);
  expect(await json('show', 'poll')).toMatchObject({ name: 'poll', runs: [] });
  expect(await json('pause', 'nightly')).toMatchObject({ paused: true });
  expect(await json('resume', 'nightly')).toMatchObject({ paused: false });
  expect(await json('set', 'nightly', '--every', '2h')).toMatchObject({ interval_ms: 7_200_000 });
  const back = await json('set', 'nightly', '--cron', '@daily', '--timezone', 'UTC', '--', 'echo', 'changed');
  expect(back).toMatchObject({
    cron: '@daily',
    task: { execution: { args: ['changed'] }, limits: { wall_time_ms: 0 } },
  });
  const version = String(back.version);
  expect(await json('set', 'nightly', '--json', '{"jitter_ms":5}', '--if-version', version)).toMatchObject({
    jitter_ms: 5,
  });
  const run = await cli('run', 'nightly');
  expect([run.code, run.stderr]).toEqual([0, '']);
  expect(await waitForEnd(daemon, run.stdout.toString().trim())).toMatchObject({ stdout: 'changed\n' });
  expect(await cli('rm', 'poll')).toMatchObject({ code: 0, stderr: '' });

  const wrong: [args: string[], code: number, words: string][] = [
    [['add', 'x', '--', 'true'], 2, "when? give a cron expression, such as '0 3 * * *'"],
    [
      ['add', 'x', '0 3 * * *', '--every', '5m', '--', 'true'],
      2,
      'give a cron expression or --every, not both',
    ],
    [
      ['add', 'x', '--every', '5m', '--timezone', 'UTC', '--', 'true'],
      2,
      '--timezone goes with a cron expression',
    ],
    [['add', 'x', '--every', '5', '--', 'true'], 2, '"5" is not a duration'],
    [['add', 'x', '0 3 * * *'], 2, 'nothing to run: give a command after --'],
    [['add', 'x', '61 3 * * *', '--', 'true'], 1, 'the cron expression: Invalid value for minute: 61'],
    [['add', 'x', '--every', '10ms', '--', 'true'], 1, '--every: must be at least 1000'],
    [['add', 'x', '0 3 * * *', '--id', 'y', '--', 'true'], 1, '--id: must be absent'],
    [['add', 'x', '0 3 * * *', '--at', '18:00', '--', 'true'], 1, '--at: must be absent'],
    [['add', 'x', '0 3 * * *', '--in', '5m', '--', 'true'], 1, '--in: must be absent'],
    [['add', 'x', '0', '3', '*', '*', '*', '--', 'true'], 2, 'put the cron expression in quotes'],
    [['add', 'x', '0 3 * * *', 'true'], 2, 'and the command behind --'],
    [['add', 'nightly', '0 3 * * *', '--', 'true'], 1, 'schedule already exists: nightly'],
    [['add', '0 3 * * *', '--', 'true'], 2, 'when?'],
    [['set', 'nightly'], 2, 'nothing to change'],
    [['set', 'nightly', '--overlap', 'both'], 2, 'Allowed choices are skip, queue, replace'],
    [['set', 'nightly', '--json', '{}', '--every', '5m'], 2, '--json and --file hold all changes'],
    [['set', 'nightly', '--every', '5m', '--if-version', '1'], 1, 'it has been changed since'],
    [['set', 'nightly', '--'], 2, 'nothing to run'],
    [['show', 'poll'], 1, 'schedule not found: poll'],
    [['pause', 'poll'], 1, 'schedule not found: poll'],
    [['run', 'poll'], 1, 'schedule not found: poll'],
    [['rm', 'poll'], 1, 'schedule list'],
    [['list', '-n', '0'], 2, '-n must be from 1 to 200'],
    [['show'], 2, "missing required argument 'name'"],
  ];
  for (const [args, code, words] of wrong) {
    const answer = await cli(...args);
    expect([answer.code, answer.stderr], args.join(' ')).toEqual([code, expect.stringContaining(words)]);
  }
  expect((await http(daemon.url).get('/api/v1/schedules')).body.schedules).toHaveLength(1);
});

test('a schedule is told in some lines', () => {
  const now = Date.parse('2026-03-03T00:00:00Z');
  const plain = scheduleCard(
    {
      ...examples.ScheduleView!,
      runs: [
        ...examples.ScheduleView!.runs,
        {
          due_at: '2026-03-01T02:00:00.000Z',
          at: '2026-03-01T09:00:00.000Z',
          outcome: 'missed',
          count: 3,
          detail: 'why',
        },
      ],
    },
    now,
  ).map(stripVTControlCharacters);
  expect(plain).toEqual([
    'nightly: 0 3 * * * Europe/Berlin, next 2026-03-03T02:00:00.000Z (in 2h0m)',
    '  overlap skip, catch up last, late after 1m0s',
    '  then 2026-03-04T02:00:00.000Z',
    '  2026-03-02T02:00:00.000Z  submitted  nightly.20260302T020000Z  success',
    '  2026-03-01T02:00:00.000Z  missed 3  why',
  ]);
});
