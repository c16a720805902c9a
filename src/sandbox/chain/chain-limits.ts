import type { ChainSpec } from '../launch.js';
import type { ChainLimit } from '../limits/limits.js';
import { requireTool, SHELL } from '../process/tools.js';
import { FAIL, NEXT } from './chain-texts.js';

/**
 * What a launch chain does to hold these limits.
 * @throws Error for people when a tool is needed that is not installed
 */
export function chainLimits(
  limits: readonly { holder: ChainLimit['holder']; value: number }[],
): Pick<ChainSpec, 'rlimits' | 'wrappers'> {
  const rlimits = limits.flatMap(({ holder, value }) =>
    holder.by === 'rlimit' ? [holder.rlimit(value)] : [],
  );
  const wrappers = limits.flatMap(({ holder, value }) => {
    if (holder.by === 'rlimit') return [];
    const { tools, text } = holder;
    const shell = [FAIL, text, `shift ${1 + tools.length}`, NEXT].join('\n');
    return [[SHELL, '-c', shell, 'execgo', String(value), ...tools.map(requireTool)]];
  });
  return { rlimits: rlimits.length === 0 ? undefined : rlimits, wrappers };
}
