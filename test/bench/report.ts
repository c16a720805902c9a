import type { Assessment, Budget } from './figure.js';
import type { Machine } from './machine.js';

/** Everything that a run has found out; what `--json` writes. */
export interface Report {
  /** RFC 3339, UTC. */
  date: string;
  commit?: string;
  machine: Machine;
  quick: boolean;
  rounds: number;
  /** Of the whole run, in seconds. */
  seconds: number;
  benches: { name: string; figures: Assessment[]; error?: string }[];
}

const COLUMNS = ['figure', 'median', 'spread', 'reference', 'ratio', 'budget', ''];

/** The report as Markdown whose tables can be read on a terminal, too. */
export function renderReport(report: Report): string {
  const { machine } = report;
  const head = [
    `${report.date}, commit ${report.commit ?? 'unknown'}, ${report.rounds} rounds${report.quick ? ', quick' : ''}, ${Math.round(report.seconds)} s`,
    `${machine.cores} cores of ${machine.cpu}, ${machine.memory_gb} GB, Linux ${machine.kernel}, Node ${machine.node}, data on ${machine.file_system}, load ${machine.load} before`,
  ];
  const sections = report.benches.map(({ name, figures, error }) =>
    [
      `## ${name}`,
      ...(figures.length > 0 ? [table([COLUMNS, ...figures.map(row)])] : []),
      ...(error === undefined ? [] : [`FAILED: ${error}`]),
    ].join('\n\n'),
  );
  return `${[...head, ...sections, summary(report)].join('\n\n')}\n`;
}

function summary({ benches }: Report): string {
  const figures = benches.flatMap((bench) => bench.figures);
  const named = (verdict: Assessment['verdict']) =>
    figures.filter((f) => f.verdict === verdict).map((f) => f.figure.name);
  const missed = named('missed');
  const unknown = named('unknown');
  const budgets = figures.filter((f) => f.verdict !== undefined).length;
  return [
    missed.length === 0
      ? `No budget was missed (of ${budgets}).`
      : `MISSED ${missed.length} of ${budgets} budgets: ${missed.join('; ')}.`,
    ...(unknown.length === 0 ? [] : [`Without a reference on this machine: ${unknown.join('; ')}.`]),
  ].join('\n');
}

function row(assessment: Assessment): string[] {
  const { figure, median, spread_percent, reference_median, ratio, verdict } = assessment;
  const { reference, budget } = figure;
  return [
    figure.name,
    `${number(median)} ${figure.unit}`,
    figure.rounds.length > 1 ? `±${spread_percent.toFixed(0)} %` : '',
    reference === undefined
      ? ''
      : reference_median === undefined
        ? `${reference.name}: not measured`
        : `${reference.name}: ${number(reference_median)} ${reference.unit}`,
    ratio === undefined ? '' : ratio.toFixed(2),
    budget === undefined ? '' : budgetText(budget, figure.unit),
    verdict === 'missed' ? 'MISSED' : (verdict ?? ''),
  ];
}

function budgetText(budget: Budget, unit: string): string {
  const bound = 'at_least' in budget ? `≥ ${budget.at_least}` : `≤ ${budget.at_most}`;
  const aim = budget.aim === undefined ? '' : `, aim ${budget.aim}`;
  return budget.of === 'ratio' ? `${bound} ×${aim}` : `${bound} ${unit}${aim}`;
}

/** Three significant digits, and no more decimals than that takes. */
function number(value: number): string {
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}

function table(rows: readonly string[][]): string {
  const widths = COLUMNS.map((_, i) => Math.max(3, ...rows.map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((c, i) => c.padEnd(widths[i]!)).join(' | ')} |`;
  const [header, ...body] = rows;
  return [line(header!), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
