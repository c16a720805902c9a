/** A number measured several times. */
export interface Series {
  name: string;
  /** Of every number in it: `tasks/s`, `ms`, `MB`, `KB`, … */
  unit: string;
  /** One number a round, in the order they were measured. */
  rounds: readonly number[];
}

/** What a figure has to reach: its own median (`value`) or its ratio to the reference (`ratio`). */
export type Budget = {
  of: 'value' | 'ratio';
  /** Better than the budget asks, in the same direction. */
  aim?: number;
} & ({ at_least: number } | { at_most: number });

/** What a bench finds out. */
export interface Figure extends Series {
  /** What was done and what the number says, in one sentence. */
  meaning: string;
  /**
   * What it is compared to, measured in the same run. With as many rounds as the figure, round i of the one is taken to
   * have been measured beside round i of the other. Empty rounds say that it could not be measured on this machine.
   */
  reference?: Series;
  budget?: Budget;
}

/** `unknown` where there is a budget but the reference is missing. */
export type Verdict = 'aim' | 'met' | 'missed' | 'unknown';

/** A figure with what follows from it. */
export interface Assessment {
  figure: Figure;
  median: number;
  min: number;
  max: number;
  /** Median distance from the median, in percent of the median. */
  spread_percent: number;
  reference_median?: number;
  /** Figure by reference: the median of the ratios round by round where rounds are paired, else the ratio of the medians. */
  ratio?: number;
  /** Absent without a budget. */
  verdict?: Verdict;
}

/** Median, spread, ratio and verdict of a figure. @throws Error when it has no rounds */
export function assess(figure: Figure): Assessment {
  const { rounds, reference, budget } = figure;
  if (rounds.length === 0) throw new Error(`${figure.name} was not measured`);
  const middle = median(rounds);
  const measured = reference !== undefined && reference.rounds.length > 0 ? reference : undefined;
  const ratio = measured && ratioOf(rounds, measured.rounds);
  return {
    figure,
    median: middle,
    min: Math.min(...rounds),
    max: Math.max(...rounds),
    spread_percent: spreadPercent(rounds),
    ...(measured && { reference_median: median(measured.rounds) }),
    ...(ratio !== undefined && { ratio }),
    ...(budget && { verdict: judge(budget, budget.of === 'value' ? middle : ratio) }),
  };
}

/** The middle one, or the mean of the two in the middle. NaN of nothing. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[half]!;
  return (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The smallest number that at least `share` (0 to 1) of all are not above. NaN of nothing. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

function spreadPercent(rounds: readonly number[]): number {
  const middle = median(rounds);
  const distance = median(rounds.map((n) => Math.abs(n - middle)));
  return distance === 0 ? 0 : (distance / Math.abs(middle)) * 100;
}

function ratioOf(rounds: readonly number[], references: readonly number[]): number {
  if (rounds.length !== references.length) return median(rounds) / median(references);
  return median(rounds.map((n, i) => n / references[i]!));
}

function judge(budget: Budget, value: number | undefined): Verdict {
  if (value === undefined) return 'unknown';
  const reaches = (bound: number) => ('at_least' in budget ? value >= bound : value <= bound);
  if (!reaches('at_least' in budget ? budget.at_least : budget.at_most)) return 'missed';
  return budget.aim !== undefined && reaches(budget.aim) ? 'aim' : 'met';
}
