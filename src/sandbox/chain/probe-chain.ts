import { spawnSync } from 'node:child_process';
import { readReport } from './chain-report.js';
import { chainLaunch } from './chain.js';
import { cpuTime } from '../limits/cpu-time.js';
import type { ChainSpec } from '../launch.js';
import { SHELL } from '../process/tools.js';

/**
 * Tries the protocol with this host's shell: a program that runs, one that is missing, and one that must not see
 * descriptor 3. Takes a few milliseconds.
 * @returns why it does not work, or undefined when it does
 */
export function probeChain(): string | undefined {
  const limits: ChainSpec = { rlimits: [cpuTime.holders[0].rlimit(60)], wrappers: [] };
  const ran = tryChain(limits, [SHELL, '-c', '{ echo leak >&3; } 2>/dev/null; exit 7']);
  if (ran.status !== 7 || ran.report !== 'ok\n') return `${SHELL} does not run the launch chain: ${ran.text}`;
  const missing = tryChain(limits, ['/proc/execgo-no-such-program']);
  const report = readReport(missing.report, missing.stderr);
  if (report.ran || report.stage !== 'launch')
    return `${SHELL} does not report a program that cannot run: ${missing.text}`;
  return undefined;
}

function tryChain(chain: ChainSpec, argv: string[]) {
  const program = { argv, env: {}, cwd: '/' };
  const {
    argv: [file = SHELL, ...args],
    env,
  } = chainLaunch(chain, undefined, program);
  const result = spawnSync(file, args, {
    env: { ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: 5000,
  });
  // The types do not say so, but both are null when the shell cannot be started.
  const output = result.output as (string | null)[] | null;
  const [report, stderr] = [output?.[3] ?? '', output?.[2] ?? ''];
  const text = JSON.stringify({ status: result.status, report, stderr, error: result.error?.message });
  return { status: result.status, report, stderr, text };
}
