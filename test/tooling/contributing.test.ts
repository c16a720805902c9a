import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

test('every file and folder that CONTRIBUTING.md names is there', () => {
  const text = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const named = [...text.matchAll(/`((?:src|test|docs|bin)\/[\w./-]*)`/g)].map(([, path]) => path!);
  expect(named.length).toBeGreaterThan(25);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('every library that is depended on has its role and its place in docs/architecture.md, and is loaded there only', () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const rows = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8').matchAll(
    /^\| `([\w-]+)` +\|.*?\| ((?:`src\/[\w./-]*`(?:, )?)+) +\|$/gm,
  );
  const places = new Map([...rows].map(([, name, where]) => [name!, where!.match(/src\/[^`]*/g)!]));
  // It stands beside pino.
  places.set('pino-pretty', places.get('pino')!);
  expect([...places.keys()].sort()).toEqual(Object.keys(dependencies).sort());
  const loads = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, 'src', file), 'utf8');
      const names = text.matchAll(/^import (?!type )[^;]*?from '([\w-]+)'|import\('([\w-]+)'\)/gm);
      return [...names].map(([, fixed, lazy]) => ({ file: `src/${file}`, name: (fixed ?? lazy)! }));
    })
    .filter(({ name }) => name in dependencies);
  expect(new Set(loads.map(({ name }) => name)).size).toBe(places.size);
  const elsewhere = loads.filter(({ file, name }) => !places.get(name)!.some((at) => file.startsWith(at)));
  expect(elsewhere).toEqual([]);
});
