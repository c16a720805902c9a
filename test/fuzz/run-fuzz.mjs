/** `npm run fuzz -- [--requests <n>] [--seed <n>]`: the fuzz test alone, with as many requests as it is told. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { requests: { type: 'string' }, seed: { type: 'string' } } });
const whole = (name, fallback) => {
  const text = values[name] ?? fallback;
  if (/^\d+$/.test(text)) return text;
  process.stderr.write(`--${name} must be a whole number, not ${text}\n`);
  process.exit(2);
};
const { status } = spawnSync('npx', ['vitest', 'run', 'test/fuzz/fuzz.test.ts'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    EXECGO_FUZZ_REQUESTS: whole('requests', '100000'),
    EXECGO_FUZZ_SEED: whole('seed', String(Math.floor(Math.random() * 1_000_000))),
  },
});
process.exitCode = status ?? 1;
