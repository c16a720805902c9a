import { describe, expect, test } from 'vitest';
import { taskCard } from '../../src/cli/card.js';
import type { TaskView } from '../../src/client/index.js';
import { taskView } from '../client/fake-server.js';

function card(parts: object): string {
  return taskCard(taskView(parts) as TaskView, Date.parse('2026-01-02T03:05:05Z')).join('\n');
}

describe('the card of a task', () => {
  test('tells what was asked for and whose it is', () => {
    const text = card({
      command: 'make\u001b[2J test',
      cwd: '/home/me/project',
      ...{ tenant: 'acme', owner: 'me', labels: { team: 'search', n: '1' } },
      limits: {
        ...{ wall_time_ms: 90_000, cpu_time_sec: 9, cpu_millis: 1500, memory_bytes: 67_108_864 },
        ...{ pids_max: 20, queue_timeout_ms: 60_000, stdout_max_bytes: 1, stderr_max_bytes: 1 },
      },
    });
    for (const line of [
      /^command +make.*test$/m,
      /^directory +\/home\/me\/project$/m,
      /^tenant +acme$/m,
      /^owner +me$/m,
      /^labels +team=search, n=1$/m,
      /^limits +wall time 1m30s, CPU time 9.0s, 1.5 cores, memory 64.0 MiB, 20 processes, 1m0s of waiting$/m,
    ])
      expect(text).toMatch(line);
    expect(text).not.toContain('\u001b');
  });

  test('tells that it is paused, and since when', () => {
    const text = card({ status: 'running', paused: true, paused_at: '2026-01-02T03:04:05Z' });
    expect(text).toMatch(/^paused +2026-01-02T03:04:05Z \(1m0s ago\)$/m);
    expect(card({})).not.toMatch(/^paused/m);
  });

  test('tells why it waits, and where it stands', () => {
    const waiting = { reason: 'capacity', detail: 'needs 1 slot;\u001b[2J 0 of 4 are free', since: 'x' };
    expect(card({ waiting: { ...waiting, position: 3 } })).toMatch(
      /^waiting +capacity: needs 1 slot; \[2J 0 of 4 are free \(number 3\)$/m,
    );
    expect(card({ waiting })).toMatch(/^waiting .* free$/m);
  });

  test('leaves out what there is not, and says that nothing ends it', () => {
    const text = card({});
    expect(text).toMatch(/^limits +no wall time$/m);
    expect(text).not.toMatch(/^(tenant|owner|labels) /m);
  });

  test('tells how much of the output is gone, and nothing where all is kept', () => {
    const sizes = {
      stdout_bytes: 3_145_728,
      stdout_truncated: true,
      stderr_bytes: 5,
      stderr_truncated: true,
    };
    const text = card({ ...sizes, stdout_omitted_bytes: 1_048_576 });
    expect(text).toMatch(/^stdout +3\.0 MiB, 1\.0 MiB of it not kept {2}d\/o$/m);
    expect(text).toMatch(/^stderr +5 B {2}d\/e$/m);
  });
});
