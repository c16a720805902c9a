import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { tempDir } from '../harness/index.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEPCRUISE = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

/** Cruises a project that consists of these files, and tells the violations as `rule: from → to`. */
function violations(files: Record<string, string>): string[] {
  const dir = tempDir();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  for (const name of ['.dependency-cruiser.cjs', 'tsconfig.json'])
    copyFileSync(join(ROOT, name), join(dir, name));
  const args = [DEPCRUISE, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'bin', 'src'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: dir, encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  const found = JSON.parse(stdout).summary.violations as {
    rule: { name: string };
    from: string;
    to: string;
  }[];
  return found.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`).sort();
}

const load = (...paths: string[]) => paths.map((path) => `import '${path}';\n`).join('');
const type = (path: string) => `import type { T } from '${path}';\nexport type Alias = T;\n`;
const lazy = (...paths: string[]) => paths.map((path) => `await import('${path}');\n`).join('');
const leaf = 'export type T = number;\n';

/** What is allowed: each rule's neighbour that must stay quiet. */
const SOUND: Record<string, string> = {
  'bin/execgo.ts': lazy('../src/cli/main.js', '../src/supervisor/main.js'),
  'src/daemon/daemon.ts': load('../runtime/service.js', '../api/app.js', '../store/store.js'),
  'src/daemon/run-daemon.ts': leaf + load('./daemon.js'),
  'src/daemon/config.ts': load('../ledger/ledger.js', './read-settings.js'),
  'src/daemon/read-settings.ts': leaf + load('../settings/settings.js', '../task/ids.js', 'zod'),
  'src/settings/defaults.ts': leaf,
  'src/settings/settings.ts': type('../task/ids.js') + load('./defaults.js'),
  'src/files/directory.ts': leaf + load('node:fs'),
  'src/task/ids.ts': leaf,
  'src/task/request.ts': leaf + load('zod'),
  'src/task/view.ts': type('./request.js'),
  'src/ledger/ledger.ts': load('../task/ids.js'),
  'src/store/database/database.ts': load('../../files/directory.js', 'better-sqlite3'),
  'src/store/tasks/task-row.ts': load('../database/database.js'),
  'src/store/store.ts': load('./tasks/task-row.js', '../task/request.js'),
  'src/sandbox/process/tools.ts': load('node:child_process'),
  'src/sandbox/plan.ts': type('../task/request.js') + load('./process/tools.js'),
  'src/supervisor/wire/protocol.ts': load('../../sandbox/plan.js'),
  'src/supervisor/spawn/execa-launcher.ts': load('execa'),
  'src/supervisor/main.ts':
    leaf + load('../files/directory.js', './wire/protocol.js', './spawn/execa-launcher.js'),
  'src/executor/local/start.ts': load('node:child_process', '../../supervisor/wire/protocol.js'),
  'src/runtime/files/task-paths.ts': load('../../task/ids.js'),
  'src/runtime/lifecycle/submit.ts': load('../service.js', '../files/task-paths.js'),
  'src/runtime/service.ts': leaf + load('../store/store.js', '../ledger/ledger.js', 'zod'),
  'src/api/app.ts': load('./routes/routes.js', '../runtime/service.js', 'express'),
  'src/api/routes/routes.ts': load('../../task/request.js'),
  'src/client/index.ts': type('../task/ids.js'),
  'src/cli/main.ts':
    load('../client/index.js', '../settings/defaults.js') + lazy('./commands/serve.js', './commands/gc.js'),
  'src/cli/commands/serve.ts':
    load('../../settings/settings.js') + lazy('../../daemon/run-daemon.js', '../../daemon/config.js'),
  'src/cli/commands/gc.ts': lazy('../../offline/gc.js') + load('../../client/index.js'),
  'src/offline/gc.ts':
    leaf + load('../files/directory.js', '../runtime/service.js', '../store/store.js', '../client/index.js'),
};
// Packages are not installed in the small project: whether an import resolves is not its subject.
const packages = (found: string[]) => found.filter((v) => !v.startsWith('resolvable: '));

test('a project that keeps to its rooms has no violation', () => {
  expect(packages(violations(SOUND))).toEqual([]);
});

test('every rule bites', () => {
  const broken = {
    ...SOUND,
    'bin/other.ts': load('../src/daemon/config.js', '../src/cli/commands/gc.js'),
    'src/daemon/config.ts': load('../api/bad.js'),
    'src/daemon/read-settings.ts': load('../runtime/service.js'),
    'src/settings/bad.ts': load('../task/ids.js', '../ledger/ledger.js', 'zod'),
    'src/files/bad.ts': load('../task/ids.js', 'zod'),
    'src/task/bad.ts': load('../ledger/ledger.js', '../files/directory.js', 'zod'),
    'src/task/bad-type.ts': type('../runtime/service.js'),
    'src/ledger/bad.ts': load('../store/store.js'),
    'src/store/bad.ts': load('../runtime/service.js'),
    'src/store/database/bad.ts': load('../store.js'),
    'src/sandbox/bad.ts': load('../task/request.js') + type('../supervisor/main.js'),
    'src/sandbox/process/bad.ts': load('../plan.js'),
    'src/supervisor/bad.ts': load('express', 'execa', 'node:child_process', '../runtime/service.js'),
    'src/supervisor/wire/bad.ts': load('../spawn/execa-launcher.js'),
    'src/executor/local/bad.ts': load('../../runtime/service.js'),
    'src/runtime/bad.ts': load('../api/app.js'),
    'src/runtime/files/bad.ts': load('../lifecycle/submit.js'),
    'src/api/bad.ts': load('../store/store.js'),
    'src/client/bad.ts': load('../task/ids.js'),
    'src/cli/bad.ts': load('../daemon/daemon.js', '../settings/settings.js'),
    'src/cli/commands/gc.ts': load('../../offline/gc.js') + lazy('../../store/store.js'),
    'src/offline/bad.ts': load('../api/app.js'),
    'src/cli/commands/serve.ts':
      load('../../daemon/config.js') + lazy('../../daemon/run-daemon.js') + type('../../runtime/service.js'),
    'src/api/orphan.ts': leaf,
    'src/api/here.ts': load('./there.js'),
    'src/api/there.ts': load('./here.js'),
    'src/attic/old.ts': leaf,
    'src/api/attic.ts': load('../attic/old.js'),
  };
  expect(packages(violations(broken))).toEqual(
    [
      'bin-picks: bin/other.ts → src/daemon/config.ts',
      'bin-picks: bin/other.ts → src/cli/commands/gc.ts',
      'config-is-pure: src/daemon/config.ts → src/api/bad.ts',
      'config-is-pure: src/daemon/read-settings.ts → src/runtime/service.ts',
      'client-loads-no-task: src/settings/bad.ts → src/task/ids.ts',
      'room-settings: src/settings/bad.ts → src/ledger/ledger.ts',
      'settings-are-light: src/settings/bad.ts → src/ledger/ledger.ts',
      'settings-are-light: src/settings/bad.ts → zod',
      'room-files: src/files/bad.ts → src/task/ids.ts',
      'supervisor-stays-small: src/files/bad.ts → zod',
      'room-task: src/task/bad.ts → src/files/directory.ts',
      'room-task: src/task/bad.ts → src/ledger/ledger.ts',
      'room-task: src/task/bad-type.ts → src/runtime/service.ts',
      'supervisor-stays-small: src/task/bad.ts → zod',
      'room-ledger: src/ledger/bad.ts → src/store/store.ts',
      'room-store: src/store/bad.ts → src/runtime/service.ts',
      'room-store-database: src/store/database/bad.ts → src/store/store.ts',
      'room-sandbox: src/sandbox/bad.ts → src/supervisor/main.ts',
      'supervisor-loads-no-schema: src/sandbox/bad.ts → src/task/request.ts',
      'room-sandbox-process: src/sandbox/process/bad.ts → src/sandbox/plan.ts',
      'supervisor-stays-small: src/supervisor/bad.ts → express',
      'supervisor-spawns-through-libc: src/supervisor/bad.ts → child_process',
      'room-supervisor: src/supervisor/bad.ts → src/runtime/service.ts',
      'supervisor-spawns-through-libc: src/supervisor/bad.ts → execa',
      'room-supervisor-wire: src/supervisor/wire/bad.ts → src/supervisor/spawn/execa-launcher.ts',
      'room-executor-local: src/executor/local/bad.ts → src/runtime/service.ts',
      'room-runtime: src/runtime/bad.ts → src/api/app.ts',
      'room-runtime-files: src/runtime/files/bad.ts → src/runtime/lifecycle/submit.ts',
      'room-api: src/api/bad.ts → src/store/store.ts',
      'client-loads-no-task: src/client/bad.ts → src/task/ids.ts',
      'room-cli: src/cli/bad.ts → src/daemon/daemon.ts',
      'client-loads-no-settings: src/cli/bad.ts → src/settings/settings.ts',
      'room-offline: src/offline/bad.ts → src/api/app.ts',
      'own-work-gc: src/cli/commands/gc.ts → src/store/store.ts',
      'serve-is-lazy: src/cli/commands/gc.ts → src/offline/gc.ts',
      'serve-is-lazy: src/cli/bad.ts → src/daemon/daemon.ts',
      'serve-is-lazy: src/cli/commands/serve.ts → src/daemon/config.ts',
      'own-work-serve: src/cli/commands/serve.ts → src/runtime/service.ts',
      'no-orphans: src/api/orphan.ts → src/api/orphan.ts',
      'no-cycles: src/api/here.ts → src/api/there.ts',
      'room-api: src/api/attic.ts → src/attic/old.ts',
      'every-folder-is-a-room: src/api/attic.ts → src/attic/old.ts',
    ].sort(),
  );
});

test('every part says what its rooms are for', () => {
  const rooms = (part: string) =>
    readdirSync(join(ROOT, 'src', part), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  const parts = rooms('').filter((part) => rooms(part).length > 0);
  const missing = parts.flatMap((part) => {
    const text = readFileSync(join(ROOT, 'src', part, 'README.md'), 'utf8');
    return rooms(part)
      .filter((room) => !text.includes(`- \`${room}/\`: `))
      .map((room) => `${part}/${room}`);
  });
  expect(missing).toEqual([]);
});
