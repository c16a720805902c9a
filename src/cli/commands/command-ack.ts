import { command as built, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { insideTask, parseSeq } from '../inside-task.js';
import { printJsonLine } from '../write.js';

/** `execgo command ack`: says that commands were read. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = built('command ack', 'Inside of a task: says that commands were read.', [
    'execgo command ack 7',
  ]).argument('<seq...>', 'their numbers');
  if (!parse(command, argv)) return EXIT.ok;
  const seqs = command.args.map(parseSeq);
  const task = insideTask();
  for (const seq of seqs) await printJsonLine(await task.acknowledge(seq));
  return EXIT.ok;
}
