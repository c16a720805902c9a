import { command as built, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { insideTask, parseJsonValue, parseSeq } from '../inside-task.js';
import { printJsonLine } from '../write.js';

interface Options {
  failed?: boolean;
  result?: string;
  error?: string;
}

/** `execgo command finish`: says how a command was carried out. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = built('command finish', 'Inside of a task: says how a command was carried out.', [
    `execgo command finish 7 --result '{"saved": "epoch-4.pt"}'`,
    'execgo command finish 8 --error "no such layer"',
  ])
    .argument('<seq>', 'its number')
    .option('--result <json>', 'what came of it')
    .option('--failed', 'it could not be carried out')
    .option('--error <text>', 'the same, with the reason in words');
  if (!parse(command, argv)) return EXIT.ok;
  const { failed, result, error } = command.opts<Options>();
  const seq = parseSeq(command.args[0] ?? '');
  const how = {
    status: failed === true || error !== undefined ? ('failed' as const) : ('completed' as const),
    ...(result === undefined ? {} : { result: parseJsonValue(result, '--result') }),
    ...(error === undefined ? {} : { error }),
  };
  await printJsonLine(await insideTask().finish(seq, how));
  return EXIT.ok;
}
