import type { Finding } from '../../offline/doctor.js';
import { command, parse } from '../command.js';
import { dataDirOf, dataDirOption } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { paint, plain } from '../terminal.js';
import { printJson, printLines } from '../write.js';

const MARKS = {
  ok: { mark: 'ok     ', style: 'green' },
  note: { mark: 'note   ', style: 'yellow' },
  problem: { mark: 'PROBLEM', style: 'red' },
} as const;

/** `execgo doctor`: says what is wrong with host and data directory, and what to do. Exit code 1 when anything is. */
export async function main(argv: readonly string[]): Promise<number> {
  const built = command(
    'doctor',
    'Looks for what is wrong with this host and a data directory, beside a daemon or without one. Changes nothing.',
    ['execgo doctor', 'execgo doctor --data-dir /var/lib/execgo --json'],
  )
    .addOption(dataDirOption())
    .option('--cgroup-root <path>', 'where cgroups are made', '/sys/fs/cgroup/execgo-runtime')
    .option('--json', 'print the findings as JSON');
  if (!parse(built, argv)) return EXIT.ok;
  const options = built.opts<{ dataDir?: string; cgroupRoot: string; json?: boolean }>();
  const { examine } = await import('../../offline/doctor.js');
  const findings = await examine({ dataDir: dataDirOf(options), cgroupRoot: options.cgroupRoot });
  const ok = findings.every((finding) => finding.level !== 'problem');
  if (options.json === true) await printJson({ ok, findings });
  else await printLines(findings.flatMap(lines));
  return ok ? EXIT.ok : EXIT.failed;
}

function lines({ check, level, message, advice }: Finding): string[] {
  const { mark, style } = MARKS[level];
  const said = `${paint(style, mark)}  ${paint('bold', check)}: ${plain(message)}`;
  return advice === undefined ? [said] : [said, `         ${plain(advice)}`];
}
