import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BOOTSTRAP = fileURLToPath(new URL('../../bin/bootstrap.mjs', import.meta.url));

/** The one executable, as `npm run build:binary` makes it. */
export const BINARY = fileURLToPath(
  new URL(`../../dist/execgo-${process.platform}-${process.arch}`, import.meta.url),
);

/** Brings {@link BINARY} up to date; several may do so at once. @throws Error when it cannot be built */
export function buildBinary(): void {
  const { status, stderr } = spawnSync(process.execPath, [BOOTSTRAP, 'binary'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the executable could not be built:\n${stderr}`);
}
