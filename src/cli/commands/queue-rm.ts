import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';

/** `execgo queue rm`: takes the rule of a queue away. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'queue rm',
    'Takes away what was said of a queue: it is neither paused nor bounded any more. Its tasks stay.',
    ['execgo queue rm gpu'],
  ).argument('<name>', 'the queue');
  if (!parse(command, argv)) return EXIT.ok;
  await connect(command.opts<{ server: string }>()).deleteQueue(command.args[0] ?? '');
  return EXIT.ok;
}
