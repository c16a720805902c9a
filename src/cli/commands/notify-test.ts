import { ExecgoApiError } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { isTerminal, plain } from '../terminal.js';
import { note, printJson, printLines } from '../write.js';

/** `execgo notify test`: sends a message of its own to a webhook, and says what has become of it. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'notify test',
    'Lets the daemon send a message to a webhook, once, and says whether it has arrived: 0 if so, else 1.',
    [
      'execgo notify test https://example.com/hook',
      'execgo notify test --secret ci https://example.com/hook',
    ],
  )
    .argument('<url>', 'where to')
    .option('--secret <name>', "the daemon's secret that signs it; without it it is not signed")
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<{ server: string; secret?: string; json?: boolean }>();
  const url = command.args[0] ?? '';
  const answer = await connect(options)
    .testNotify({ url, secret_ref: options.secret })
    .catch(async (error: unknown) => {
      if (!(error instanceof ExecgoApiError)) throw error;
      const { inFlags } = await import('../typed-flags.js');
      throw inFlags(error, { 'webhook.url': 'the URL', 'webhook.secret_ref': '--secret' });
    });
  if (options.json === true || !isTerminal()) await printJson(answer);
  else if (answer.delivered)
    await printLines([
      `${plain(answer.to)} took the message ${plain(answer.webhook_id)} within ${String(answer.duration_ms)} ms`,
    ]);
  if (answer.delivered) return EXIT.ok;
  await note(`not delivered to ${answer.to}: ${answer.error ?? ''}`);
  return EXIT.failed;
}
