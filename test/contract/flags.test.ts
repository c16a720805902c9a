import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { execgo, http, startDaemon, tempDir } from '../harness/index.js';
import { configView } from '../../src/runtime/views/config-view.js';
import { loadConfig } from '../../src/daemon/config.js';

/** The flags of `serve` as its help lists them, without `--help`. */
async function flags(): Promise<string[]> {
  const { stdout } = await execgo(['serve', '--help']);
  const found = [...stdout.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)].map(([, name = '']) => name);
  return found.filter((name) => name !== 'help');
}

test('every flag has its row in the documentation and its value in the config, and nothing else has', async () => {
  const names = await flags();
  expect(names.length).toBeGreaterThan(30);
  const operation = readFileSync(new URL('../../docs/operation.md', import.meta.url), 'utf8');
  const rows = [...operation.matchAll(/^\| `--([a-z-]+)[^|]*\|[^|]*\| *[^| ][^|]*\|/gm)].map(
    ([, name]) => name,
  );
  expect(rows.toSorted()).toEqual(names.toSorted());

  const keys = Object.keys(configView(loadConfig({}, {})));
  const keysOf = (flag: string) => {
    const name = flag.replaceAll('-', '_');
    return [name, `${name}s`, name.replace(/^disable_(.*)$/, '$1_enabled')];
  };
  const missing = names.filter((flag) => !keysOf(flag).some((key) => keys.includes(key)));
  const unknown = keys.filter((key) => !names.some((flag) => keysOf(flag).includes(key)));
  expect({ missing, unknown }).toEqual({ missing: [], unknown: [] });
});

test('the config tells what each flag was set to', async () => {
  const images = tempDir();
  const { url, dataDir } = await startDaemon({
    listen: { socket: join(tempDir(), 'socket') },
    flags: [
      ...['--listen-socket-mode', '660', '--max-connections', '99999999', '--max-body-bytes', '40000000'],
      ...['--output-keep-bytes', '1000', '--default-wall-time-ms', '0', '--idempotency-retention-secs', '60'],
      ...[
        '--allow-rootfs',
        images,
        '--tag',
        'a',
        '--tag',
        'b',
        '--profile',
        'big',
        '--allow-host',
        'my.host',
      ],
      ...['--tenant-quota', 'red=slots:2,cpu:500', '--capacity-cpu-millis', '3000', '--capacity-pids', '900'],
      ...['--capacity-memory-bytes', '1000000', '--task-user', 'nobody', '--launcher', 'execa', '--drain'],
      ...[
        '--disable-linux-sandbox',
        '--log-level',
        'debug',
        '--starvation-ms',
        '7',
        '--retain-max-tasks',
        '8',
      ],
    ],
  });
  const { body } = await http(url).get('/api/v1/runtime/config');
  expect(body).toMatchObject({
    listen_addr: url,
    listen_socket: url.slice('unix:'.length),
    listen_socket_mode: '0660',
    allow_hosts: ['my.host'],
    insecure: false,
    data_dir: dataDir,
    max_body_bytes: 40_000_000,
    output_keep_bytes: 1000,
    default_wall_time_ms: 0,
    idempotency_retention_secs: 60,
    starvation_ms: 7,
    retain_max_tasks: 8,
    profile: 'big',
    tags: ['a', 'b'],
    task_user: 'nobody',
    allow_rootfs: [images],
    launcher: 'execa',
    tenant_quotas: { red: { task_slots: 2, cpu_millis: 500 } },
    capacity_cpu_millis: 3000,
    capacity_memory_bytes: 1_000_000,
    capacity_pids: 900,
    cgroup_enabled: true,
    linux_sandbox_enabled: false,
    drain: true,
    log_level: 'debug',
  });
  // What is in force, where the descriptors do not do for what was asked for.
  expect(body.max_connections).toBeGreaterThan(0);
  expect(body.max_connections).toBeLessThan(99_999_999);
});
