/** `npm run bench`: measures, prints a table, and judges nothing by its exit code but whether it could measure. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Bench } from './bench.js';
import { BENCHES } from './benches.js';
import { currentCommit } from './machine.js';
import { plotScale } from './plot.js';
import { renderReport, type Report } from './report.js';
import { runBenches } from './run.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RESULTS = fileURLToPath(new URL('results/', import.meta.url));
const ROUNDS = { full: 5, quick: 2 };

const HELP = `Usage: npm run bench -- [options]

  --only <names>   benches to run, separated by commas; all by default, but those that say otherwise
  --quick          rough figures within a minute
  --rounds <n>     how often each figure is measured; ${ROUNDS.full} by default, ${ROUNDS.quick} with --quick
  --dir <dir>      where the data directories are made; the system's temporary directory by default
  --json <file>    writes the report there, too
  --keep           writes the report to test/bench/results/, as JSON and as Markdown, and draws what scale has measured

Benches:
${BENCHES.map(({ name, what, alone }) => `  ${name.padEnd(15)}  ${what}${alone === true ? '; only where it is named' : ''}`).join('\n')}
`;

class UsageError extends Error {}
class Interrupted extends Error {}

async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const benches = chosen(values.only);
  const rounds = Number(values.rounds ?? (values.quick ? ROUNDS.quick : ROUNDS.full));
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new UsageError('--rounds must be a whole number above 0');
  const progress = (text: string) => void process.stderr.write(`${text}\n`);
  const { quick, dir } = values;
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new UsageError(`--dir: there is no directory ${dir}; make it first`);
  const measured = await runBenches(benches, { rounds, quick, dir, progress, interruption: interruption() });
  const commit = currentCommit(ROOT);
  const report: Report = { ...measured, ...(commit !== undefined && { commit }) };
  process.stdout.write(renderReport(report));
  for (const file of files(report, values)) writeReport(file, report);
  return report.benches.some((bench) => bench.error !== undefined) ? 1 : 0;
}

/** Aborts at the first SIGINT or SIGTERM. Others are let pass: npm and tsx hand on what the whole group has already got. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => controller.abort(new Interrupted(`interrupted by ${signal}`)));
  return controller.signal;
}

function chosen(only: string | undefined): Bench[] {
  if (only === undefined) return BENCHES.filter(({ alone }) => alone !== true);
  return only.split(',').map((name) => {
    const bench = BENCHES.find((b) => b.name === name.trim());
    if (bench === undefined)
      throw new UsageError(`there is no bench "${name}"; there are ${BENCHES.map((b) => b.name).join(', ')}`);
    return bench;
  });
}

function files(report: Report, { json, keep }: { json?: string; keep: boolean }): string[] {
  const name = `${RESULTS}${report.date.slice(0, 10)}-${report.machine.cores}-cores`;
  return [
    ...(json === undefined ? [] : [json]),
    ...(keep ? [`${name}.json`, `${name}.md`, `${name}.svg`] : []),
  ];
}

function writeReport(file: string, report: Report): void {
  if (file.startsWith(RESULTS)) mkdirSync(RESULTS, { recursive: true });
  const text = contentOf(file, report);
  if (text !== undefined) writeFileSync(file, text);
}

/** Undefined where there is nothing to draw. */
function contentOf(file: string, report: Report): string | undefined {
  if (file.endsWith('.md')) return renderReport(report);
  if (file.endsWith('.svg')) return plotScale(report);
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { message, stack, code } = error as NodeJS.ErrnoException;
  const misused = error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS') === true;
  const expected = misused || error instanceof Interrupted;
  process.stderr.write(`bench: ${expected ? message : stack}\n`);
  // What an interrupted bench still waits for must not hold the process.
  process.exit(misused ? 2 : 1);
}
