import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
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
  'bin/execgo.ts': lazy('../src/cli/index.js', '../src/cli/serve.js', '../src/supervisor/main.js'),
  'src/daemon.ts': load('./runtime/service.js', './api/app.js', './store/store.js'),
  'src/config.ts': load('./task/ids.js', './ledger/ledger.js'),
  'src/files/directory.ts': leaf + load('node:fs'),
  'src/task/ids.ts': leaf,
  'src/task/request.ts': leaf + load('zod'),
  'src/task/view.ts': type('./request.js'),
  'src/ledger/ledger.ts': load('../task/ids.js'),
  'src/store/store.ts': load('../files/directory.js', '../task/request.js', 'better-sqlite3'),
  'src/sandbox/plan.ts': type('../task/request.js') + load('../task/view.js', 'node:child_process'),
  'src/supervisor/main.ts':
    leaf + load('../files/directory.js', '../sandbox/plan.js', './start.js', './execa-launcher.js'),
  'src/supervisor/start.ts': load('node:child_process'),
  'src/supervisor/execa-launcher.ts': load('execa'),
  'src/runtime/service.ts':
    leaf + load('../store/store.js', '../ledger/ledger.js', '../supervisor/start.js', 'zod'),
  'src/api/app.ts': load('../runtime/service.js', '../task/request.js', 'express'),
  'src/client/index.ts': type('../task/ids.js'),
  'src/cli/index.ts': load('../client/index.js') + type('../task/view.js').replace('{ T }', '{ Alias as T }'),
  'src/cli/serve.ts': lazy('../daemon.js', '../config.js'),
  'src/cli/gc.ts': lazy('../offline/gc.js') + load('../client/index.js'),
  'src/offline/gc.ts':
    leaf + load('../files/directory.js', '../runtime/service.js', '../store/store.js', '../client/index.js'),
};
// Packages are not installed in the small project: whether an import resolves is not its subject.
const packages = (found: string[]) => found.filter((v) => !v.startsWith('resolvable: '));

test('a project that keeps the layers has no violation', () => {
  expect(packages(violations(SOUND))).toEqual([]);
});

test('every rule bites', () => {
  const broken = {
    ...SOUND,
    'bin/other.ts': load('../src/config.js'),
    'src/config.ts': load('./api/bad.js'),
    'src/files/bad.ts': load('../task/ids.js', 'zod'),
    'src/task/bad.ts': load('../ledger/ledger.js', '../files/directory.js', 'zod'),
    'src/task/bad-type.ts': type('../runtime/service.js'),
    'src/ledger/bad.ts': load('../store/store.js'),
    'src/store/bad.ts': load('../runtime/service.js'),
    'src/sandbox/bad.ts': load('../task/request.js') + type('../supervisor/main.js'),
    'src/supervisor/bad.ts': load('express', 'execa', 'node:child_process', '../runtime/service.js'),
    'src/runtime/bad.ts': load('../api/app.js'),
    'src/api/bad.ts': load('../store/store.js'),
    'src/client/bad.ts': load('../task/ids.js'),
    'src/cli/bad.ts': load('../daemon.js'),
    'src/cli/gc.ts': load('../offline/gc.js') + lazy('../store/store.js'),
    'src/offline/bad.ts': load('../api/app.js'),
    'src/cli/serve.ts': load('../config.js') + lazy('../daemon.js') + type('../runtime/service.js'),
    'src/api/orphan.ts': leaf,
    'src/api/here.ts': load('./there.js'),
    'src/api/there.ts': load('./here.js'),
  };
  expect(packages(violations(broken))).toEqual(
    [
      'layers-bin: bin/other.ts → src/config.ts',
      'layers-config: src/config.ts → src/api/bad.ts',
      'layers-files: src/files/bad.ts → src/task/ids.ts',
      'supervisor-stays-small: src/files/bad.ts → zod',
      'layers-task: src/task/bad.ts → src/files/directory.ts',
      'layers-task: src/task/bad.ts → src/ledger/ledger.ts',
      'layers-task: src/task/bad-type.ts → src/runtime/service.ts',
      'supervisor-stays-small: src/task/bad.ts → zod',
      'layers-ledger: src/ledger/bad.ts → src/store/store.ts',
      'layers-store: src/store/bad.ts → src/runtime/service.ts',
      'layers-sandbox: src/sandbox/bad.ts → src/supervisor/main.ts',
      'supervisor-loads-no-schema: src/sandbox/bad.ts → src/task/request.ts',
      'supervisor-stays-small: src/supervisor/bad.ts → express',
      'supervisor-spawns-through-libc: src/supervisor/bad.ts → child_process',
      'layers-supervisor: src/supervisor/bad.ts → src/runtime/service.ts',
      'supervisor-spawns-through-libc: src/supervisor/bad.ts → execa',
      'layers-runtime: src/runtime/bad.ts → src/api/app.ts',
      'layers-api: src/api/bad.ts → src/store/store.ts',
      'client-loads-no-task: src/client/bad.ts → src/task/ids.ts',
      'layers-cli: src/cli/bad.ts → src/daemon.ts',
      'layers-offline: src/offline/bad.ts → src/api/app.ts',
      'layers-offline-commands: src/cli/gc.ts → src/store/store.ts',
      'serve-is-lazy: src/cli/gc.ts → src/offline/gc.ts',
      'serve-is-lazy: src/cli/bad.ts → src/daemon.ts',
      'serve-is-lazy: src/cli/serve.ts → src/config.ts',
      'layers-serve: src/cli/serve.ts → src/runtime/service.ts',
      'no-orphans: src/api/orphan.ts → src/api/orphan.ts',
      'no-cycles: src/api/here.ts → src/api/there.ts',
    ].sort(),
  );
});
