import type { SubmitAnswer } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { addRequestOptions, buildRequest, isWholeRequest, type RequestOptions } from '../request-options.js';
import { printingRefusals } from '../refusal-json.js';
import { SubmitTimeout, submitWithin } from '../submit-once.js';
import { flagsInText } from '../typed-flags.js';
import { parseCount } from '../units.js';
import { plain } from '../terminal.js';
import { note, printJson, printLines } from '../write.js';
import { Option } from 'commander';

interface Options extends RequestOptions {
  dryRun?: boolean;
  output: 'id' | 'json';
  timeoutMs?: number;
}

/** `execgo submit`: prints the id of the accepted task, or the whole answer as JSON. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addRequestOptions(
    clientCommand(
      'submit',
      'Hands a command to the daemon, to be run in this directory, and prints its id; the task is durable then.',
      [
        'execgo submit -- make test',
        'execgo submit --wall-time 10m --memory 512M -e MODE=fast -- ./train.sh',
        'execgo submit --script - --interpreter python3 < job.py',
        `execgo submit --json '{"execution":{"kind":"command","program":"date"}}'`,
      ],
    ),
  )
    .option(
      '--timeout-ms <n>',
      'exit 124 when the daemon has not answered after so many milliseconds',
      parseCount,
    )
    .option('--dry-run', 'print what would be enforced and reserved, and submit nothing')
    .addOption(
      new Option('-o, --output <form>', 'print the task id, or the whole answer')
        .choices(['id', 'json'])
        .default('id'),
    );
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const request = buildRequest(options, command.args);
  const client = connect(options);
  const asJson = isWholeRequest(options) || options.output === 'json';
  if (options.dryRun === true) {
    await printJson(await printingRefusals(asJson, options, () => client.dryRun(request)));
    return EXIT.ok;
  }
  try {
    const answer = await printingRefusals(asJson, options, () => submitWithin(client, request, options));
    await (asJson ? printJson(answer) : printId(answer));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof SubmitTimeout)) throw error;
    await note(error.message);
    return EXIT.timeout;
  }
}

async function printId({ task_id, warnings = [] }: SubmitAnswer): Promise<void> {
  await printLines([plain(task_id)]);
  for (const warning of warnings) await note(flagsInText(warning));
}
