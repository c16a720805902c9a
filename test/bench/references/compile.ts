import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiles `<name>.c` of this folder into `dir`. @returns the program's path, or undefined where there is no C compiler */
export function compileC(name: string, dir: string): string | undefined {
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
  const program = join(dir, name);
  const { error, status, stderr } = spawnSync('cc', ['-O2', '-o', program, source], { encoding: 'utf8' });
  if (error !== undefined) return undefined;
  if (status !== 0) throw new Error(`${name}.c does not compile: ${stderr}`);
  return program;
}
