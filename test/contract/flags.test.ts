import { join } from 'node:path';
import { expect, test } from 'vitest';
import { execgo, http, startDaemon, tempDir } from '../harness/index.js';
import { flagOf } from '../../src/settings/setting.js';
import { settingList } from '../../src/settings/settings.js';

test('the help lists every setting, in the order of their table, and nothing else', async () => {
  const { stdout } = await execgo(['serve', '--help']);
  const listed = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag);
  expect(listed).toEqual([...settingList.map(([, setting]) => flagOf(setting)), '--help']);
});

test('the config tells what each flag was set to', async () => {
  const images = tempDir();
  const { url, dataDir } = await startDaemon({
    listen: { socket: join(tempDir(), 'socket') },
    flags: [
      ...['--listen-socket-mode', '660', '--max-connections', '99999999', '--max-body-bytes', '40000000'],
      ...['--output-keep-bytes', '1000', '--default-wall-time-ms', '0', '--idempotency-retention-secs', '60'],
      ...['--remember-ends-secs', '61'],
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
    remember_ends_secs: 61,
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
