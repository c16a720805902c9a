import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = [
  'src/files',
  'src/binary',
  'src/task',
  'src/sandbox',
  'src/supervisor',
  'test/supervisor/entry.ts',
];

/** Translates what the supervisor consists of, so that a bare Node can run it. @returns its entry and how to remove it. */
export function buildSupervisor(): { entry: string; remove: () => void } {
  const out = mkdtempSync(join(tmpdir(), 'execgo-build-'));
  writeFileSync(join(out, 'package.json'), '{"type":"module"}');
  symlinkSync(join(ROOT, 'node_modules'), join(out, 'node_modules'));
  for (const file of SOURCES.flatMap((source) => typescriptFiles(join(ROOT, source)))) {
    const target = join(out, relative(ROOT, file)).replace(/\.ts$/, '.js');
    mkdirSync(dirname(target), { recursive: true });
    const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    writeFileSync(target, outputText);
  }
  return {
    entry: join(out, 'test/supervisor/entry.js'),
    remove: () => rmSync(out, { recursive: true, force: true }),
  };
}

function typescriptFiles(path: string): string[] {
  if (path.endsWith('.ts')) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(path, name));
}
