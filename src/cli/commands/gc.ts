import type { GcReport, GcRequest } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { dataDirOf, dataDirOption, worksOnFiles } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { isTerminal, plain } from '../terminal.js';
import { formatSize, parseDuration, parseInstant } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printLines } from '../write.js';

interface Options {
  server: string;
  dataDir?: string;
  olderThan?: number;
  before?: string;
  dryRun?: boolean;
  json?: boolean;
}

/** A collection without a daemon reports its failures in its result. */
const NO_LOG = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * `execgo gc`: removes ended tasks that are due, through the daemon if there is one. Prints nothing when output is no
 * terminal and nothing went wrong.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'gc',
    'Removes ended tasks that are due, also when no daemon runs. Says nothing when all went well, but on a terminal.',
    ['execgo gc --older-than 7d', 'execgo gc --dry-run', 'execgo gc --data-dir /var/lib/execgo --json'],
  )
    .addOption(dataDirOption())
    .option(
      '--older-than <duration>',
      'all that ended so long ago; without it, what the daemon is told to keep decides',
      parseDuration,
    )
    .option('--before <time>', 'all that ended before then: a time, or a day', (text: string) =>
      parseInstant(text),
    )
    .option('--dry-run', 'remove nothing, say what would be removed')
    .option('--json', 'print the report as JSON');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  if (options.before !== undefined && options.olderThan !== undefined)
    throw new UsageError('give --before or --older-than, not both');
  const request = { older_than_ms: ageOf(options), dry_run: options.dryRun === true };
  const report = worksOnFiles(command)
    ? await collectIn(dataDirOf(options), request)
    : await connect(options).gc(request);
  if (options.json === true) await printJson(report);
  else if (isTerminal() || request.dry_run) await printLines(summary(report));
  for (const problem of report.problems) await note(problem);
  return report.problems.length === 0 ? EXIT.ok : EXIT.failed;
}

/** How long ago it must have ended. @throws UsageError for a time that is to come */
function ageOf({ before, olderThan }: Options): number | undefined {
  if (before === undefined) return olderThan;
  const age = Date.now() - Date.parse(before);
  if (age < 0) throw new UsageError('--before is a time that is to come: nothing was removed');
  return age;
}

async function collectIn(dataDir: string, request: GcRequest): Promise<GcReport> {
  const { addReports, collectOffline } = await import('../../offline/gc.js');
  const done = await collectOffline(dataDir, request, NO_LOG);
  if (!('daemon' in done)) return done.report;
  const rest = await connect({ server: done.daemon }).gc(request);
  return done.report === undefined ? rest : addReports(done.report, rest);
}

function summary(report: GcReport): string[] {
  const { dry_run, candidates, removed, bytes_freed, skipped_pinned, tasks } = report;
  const pinned = skipped_pinned === 0 ? '' : `; ${String(skipped_pinned)} pinned stay`;
  const count = dry_run ? candidates : removed;
  const what = `${String(count)} ${count === 1 ? 'task' : 'tasks'}, ${formatSize(bytes_freed)}${pinned}`;
  return dry_run ? [...tasks.map(plain), `would remove ${what}`] : [`removed ${what}`];
}
