import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execgo, startDaemon } from '../harness/index.js';
import { endAcrossKill } from '../faults/support.js';
import { startRegistry } from './registry.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Guard against hanging, in milliseconds; npm takes some seconds, on a busy machine many. */
const INSTALL_MS = 300_000;

/** What may be in the package. */
const EXPECTED = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  /^docs\/[\w-]+\.(md|service|socket|1)$/,
  /^dist\/bin\/(execgo|cli|supervisor)\.js$/,
  /^dist\/bin\/package\.json$/,
  /^dist\/src\/(api|binary|client|daemon|executor|files|ledger|offline|runtime|sandbox|settings|store|supervisor|task|webhook)\/([\w-]+\/){0,2}[\w-]+\.js$/,
  /^dist\/src\/(client|task|sandbox\/limits)\/[\w-]+\.d\.ts$/,
];

/** The empty folder that the package was installed in, and its command. */
let folder: string;
let program: string;

beforeAll(async () => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), 'package-'));
  const registry = await startRegistry(ROOT);
  try {
    // Not its prepack script, which builds dist/ anew: tests run what is there.
    const packed = await run(
      'npm',
      ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder],
      ROOT,
    );
    const npm = ['install', '--registry', registry.url, '--engine-strict', '--ignore-scripts', '--no-audit'];
    await run('npm', [...npm, join(folder, packed.trim())], folder);
  } finally {
    registry.close();
  }
  program = join(folder, 'node_modules/.bin/execgo');
}, INSTALL_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the package has what it needs to run, its documentation, and the types of the client', () => {
  const installed = join(folder, 'node_modules/execgo');
  const files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
  expect(files.filter((file) => !EXPECTED.some((pattern) => pattern.test(file)))).toEqual([]);
  for (const file of [
    'LICENSE',
    'README.md',
    'docs/execgo.service',
    'docs/execgo.1',
    'dist/src/client/index.d.ts',
  ])
    expect(files).toContain(file);
  const { dependencies, engines } = manifest(installed);
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  expect(engines.node).toBe('>=20.19');
  const tooNew = Object.keys(dependencies).filter(
    (name) => leastNode(packages[`node_modules/${name}`]?.engines?.node) > leastNode(engines.node),
  );
  expect(tooNew).toEqual([]);
});

test('the command of the package is daemon, supervisor and command line, and a killed daemon loses nothing', async () => {
  expect(await run('npx', ['execgo', '--version'], folder)).toBe(`${manifest(ROOT).version}\n`);
  const daemon = await startDaemon({ program });
  const supervisor = readFileSync(`/proc/${daemon.supervisorPid()}/cmdline`, 'utf8');
  expect(supervisor).toContain(`${folder}/node_modules/execgo/dist/bin/execgo.js\0internal-supervisor`);

  const ran = await execgo(['run', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'], { program, daemon });
  expect(ran).toMatchObject({ code: 3, stdout: 'out\n', stderr: expect.stringContaining('err\n') });

  const { task_id: id, ...end } = await endAcrossKill(daemon);
  expect(end).toMatchObject({ cause: 'exit', exit_code: 4 });
  const status = await execgo(['status', id, '--json'], { program, daemon });
  expect(JSON.parse(status.stdout)).toMatchObject({ task_id: id, status: 'failed', exit_code: 4 });
  expect((await execgo(['logs', id], { program, daemon })).stdout).toBe('up\ndown\n');
});

test(
  'a program in that folder imports the client, and its types hold',
  async () => {
    const daemon = await startDaemon({ program });
    const body = `import { ExecgoClient } from 'execgo';
const client = new ExecgoClient({ server: '${daemon.url}' });
const { task_id } = await client.submit({ execution: { kind: 'command', program: 'echo', args: ['hello'] } });
const end = await client.wait(task_id);
console.log(end.status, end.stdout);
`;
    writeFileSync(join(folder, 'program.mjs'), body);
    expect(await run(process.execPath, ['program.mjs'], folder)).toBe('success hello\n\n');

    writeFileSync(join(folder, 'program.mts'), body);
    const types = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node'];
    const tsc = [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
    ];
    expect(await run(process.execPath, [...tsc, ...types, 'program.mts'], folder)).toBe('');
  },
  INSTALL_MS,
);

/** Runs a program as a person would, without what npm tells the scripts that it runs. @returns its standard output */
async function run(file: string, args: readonly string[], cwd: string): Promise<string> {
  const env = Object.entries(process.env).filter(([name]) => !/^(npm_|.*_proxy$|NODE_ENV$)/i.test(name));
  const settings = { npm_config_cache: join(folder, '.npm'), npm_config_update_notifier: 'false' };
  const { stdout } = await promisify(execFile)(file, args, {
    cwd,
    env: { ...Object.fromEntries(env), ...settings },
  });
  return stdout;
}

interface Lock {
  packages: Record<string, { engines?: { node?: string } }>;
}

const manifest = (dir: string) =>
  JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
    engines: { node: string };
  };

/** The least version of Node in the first part of a range such as `^18.19.0 || >=20.5.0`: 1000 for a major, 1 for a minor. */
function leastNode(range = '0'): number {
  const [major, minor = 0] = (/\d+(\.\d+)?/.exec(range)?.[0] ?? '0').split('.').map(Number);
  return major! * 1000 + minor;
}
