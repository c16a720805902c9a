import { command as built, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { insideTask, parseJsonValue } from '../inside-task.js';

/** `execgo event`: adds an event to the history of the task in which it runs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = built('event', 'Inside of a task: adds an event to its history (execgo events shows it).', [
    'execgo event checkpoint',
    `execgo event checkpoint '{"epoch": 4}'`,
  ])
    .argument('<name>', 'what has happened, in a word')
    .argument('[data]', 'what belongs to it, as JSON');
  if (!parse(command, argv)) return EXIT.ok;
  const [name = '', data] = command.args;
  const value = data === undefined ? undefined : parseJsonValue(data, 'the data');
  await insideTask().event(name, value);
  return EXIT.ok;
}
