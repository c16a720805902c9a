import { spawnSync, type SpawnSyncOptionsWithStringEncoding } from 'node:child_process';
import { readText } from '../../files/read-text.js';
import { readReport } from './chain-report.js';
import { chainLaunch } from './chain.js';
import { chainLimits } from './chain-limits.js';
import type { ChainSpec } from '../launch.js';
import { CHAIN_CAPABILITIES, CHAIN_LIMITS, type LimitCapability } from '../limits/limits.js';
import { SHELL } from '../process/tools.js';
import { messageOf } from '../../files/errno.js';

export interface ChainProbe {
  /** Why there can be no chain at all. */
  broken?: string;
  /** Why the chain cannot hold a limit, by what the capabilities call that. */
  reasons: Partial<Record<LimitCapability, string>>;
}

/**
 * Tries the protocol with this host's shell: a program that runs under limits, one that is missing, and one that must not see
 * descriptor 3. Takes a few milliseconds.
 */
export function probeChain(): ChainProbe {
  const reasons: ChainProbe['reasons'] = {};
  const tried = CHAIN_LIMITS.flatMap(({ holder }) => {
    const { capability, tried: value } = holder;
    if (capability === undefined || value === undefined) return [];
    const undone = holder.by === 'rlimit' ? holder.unless?.(readText) : undefined;
    if (undone !== undefined) reasons[capability] = undone;
    return [{ holder, capability, value }];
  });
  if (whyNotRun(() => chainLimits(tried)) !== undefined) {
    const broken = whyNotRun(() => ({ wrappers: [] }));
    if (broken !== undefined) return chainBroken(broken);
    // Which one it is, is looked for only when not all of them work.
    for (const one of tried) {
      const reason = whyNotRun(() => chainLimits([one]));
      if (reason !== undefined) reasons[one.capability] ??= reason;
    }
  }
  const missing = tryChain({ wrappers: [] }, ['/proc/execgo-no-such-program']);
  const report = readReport(missing.report, missing.stderr);
  if (report.ran || report.stage !== 'launch')
    return chainBroken(`${SHELL} does not report a program that cannot run: ${missing.text}`);
  return { reasons };
}

/** @returns a probe result of a host without the chain, every part with the same reason */
export function chainBroken(broken: string): ChainProbe {
  return { broken, reasons: Object.fromEntries(CHAIN_CAPABILITIES.map((name) => [name, broken])) };
}

function whyNotRun(chain: () => ChainSpec): string | undefined {
  try {
    const ran = tryChain(chain(), [SHELL, '-c', '{ echo leak >&3; } 2>/dev/null; exit 7']);
    if (ran.status === 7 && ran.report === 'ok\n') return undefined;
    return `${SHELL} does not run the launch chain: ${ran.text}`;
  } catch (error) {
    return messageOf(error);
  }
}

function tryChain(chain: ChainSpec, argv: string[]) {
  const program = { argv, env: {}, cwd: '/' };
  const {
    argv: [file = SHELL, ...args],
    env,
  } = chainLaunch(chain, undefined, program);
  const options: SpawnSyncOptionsWithStringEncoding & { detached: boolean } = {
    env: { ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: 5000,
    // In a session of its own, as a task: what is set for that must not be set for the daemon's.
    detached: true,
  };
  const result = spawnSync(file, args, options);
  // Against their types, both are null when the shell cannot be started.
  const output = result.output as (string | null)[] | null;
  const [report, stderr] = [output?.[3] ?? '', output?.[2] ?? ''];
  const text = JSON.stringify({ status: result.status, report, stderr, error: result.error?.message });
  return { status: result.status, report, stderr, text };
}
