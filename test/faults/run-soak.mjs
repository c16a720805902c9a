/** `npm run soak -- [--minutes <n> | --seconds <n>] [--seed <n>]`: the soak test alone, for as long as it is told. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' } },
});
const whole = (name, fallback) => {
  const text = values[name] ?? fallback;
  if (text !== undefined && !/^\d+$/.test(text)) {
    process.stderr.write(`--${name} must be a whole number, not ${text}\n`);
    process.exit(2);
  }
  return text === undefined ? undefined : Number(text);
};
const seconds = values.minutes === undefined ? whole('seconds', '60') : 60 * whole('minutes');
const seed = whole('seed', String(Math.floor(Math.random() * 1_000_000)));
const { status } = spawnSync('npx', ['vitest', 'run', 'test/faults/soak.test.ts'], {
  stdio: 'inherit',
  env: { ...process.env, EXECGO_SOAK_SECONDS: String(seconds), EXECGO_SOAK_SEED: String(seed) },
});
process.exitCode = status ?? 1;
