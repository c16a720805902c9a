import { command as built, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { insideTask } from '../inside-task.js';
import { UsageError } from '../usage-error.js';

/** What programs print for an amount that is none: no words. */
const NO_AMOUNT = /^[+-]?(nan|inf|infinity)%?$/i;

interface Options {
  done?: number;
  total?: number;
}

/** `execgo progress`: says how far the task is in which it runs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = built(
    'progress',
    'Inside of a task: says how far it is. Of several within a second the newest counts.',
    ['execgo progress 40 "epoch 4"', 'execgo progress --done 4 --total 10 "epoch 4"'],
  )
    .argument('[percent]', 'how much is done, from 0 to 100; - for none')
    .argument('[message]', 'what it is at')
    .option('--done <n>', 'how much is done, in whatever is counted', parseAmount)
    .option('--total <n>', 'how much there is to do', parseAmount);
  if (!parse(command, argv)) return EXIT.ok;
  const { done, total } = command.opts<Options>();
  const [first, second] = command.args;
  // With --done or --total the words alone may be given.
  const isMessage =
    second === undefined &&
    first !== undefined &&
    Number.isNaN(Number(first.replace(/%$/, ''))) &&
    !NO_AMOUNT.test(first);
  const percent =
    first === undefined || first === '-' || isMessage ? undefined : parseAmount(first.replace(/%$/, ''));
  const message = isMessage && first !== '-' ? first : second;
  if ([percent, done, total, message].every((each) => each === undefined))
    throw new UsageError('say how far it is: execgo progress 40 "epoch 4"');
  await insideTask().progress({ percent, done, total, message });
  return EXIT.ok;
}

/** @throws UsageError */
function parseAmount(text: string): number {
  const amount = Number(text);
  if (text.trim() === '' || !Number.isFinite(amount)) throw new UsageError(`"${text}" is not a number`);
  return amount;
}
