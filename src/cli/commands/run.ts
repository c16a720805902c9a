import { Option } from 'commander';
import { shellWord } from '../../files/shell-quote.js';
import {
  ExecgoTimeoutError,
  type ExecgoClient,
  type TaskSubmission,
  type TaskView,
} from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT, exitCodeOf, type TaskEnding } from '../exit-codes.js';
import { Interruption } from '../interruption.js';
import { printingRefusals } from '../refusal-json.js';
import { addRequestOptions, buildRequest, isWholeRequest, type RequestOptions } from '../request-options.js';
import { streamOutput } from '../stream-output.js';
import { submitOnce } from '../submit-once.js';
import { typedCommand } from '../typed-command.js';
import { flagsInText } from '../typed-flags.js';
import { formatSize, parseCount } from '../units.js';
import { WaitingNote } from '../waiting-note.js';
import { note, printJson } from '../write.js';

interface Options extends RequestOptions {
  output?: 'stream' | 'json';
  timeoutMs?: number;
}

/** `execgo run`: submits a task, shows its output as it is written, and exits as the task does. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addRequestOptions(
    clientCommand(
      'run',
      'Runs a command in this directory as a task: streams its output, and exits with its exit code. Ctrl-C cancels it.',
      [
        'execgo run -- make test',
        'execgo run --wall-time 5m --memory 1G -- ./build.sh > build.log',
        'execgo run -o json -- date',
      ],
    ),
  )
    .option(
      '--timeout-ms <n>',
      'stop waiting after so many milliseconds and exit 124; the task goes on',
      parseCount,
    )
    .addOption(new Option('--poll-interval-ms <n>', 'accepted and not needed').hideHelp())
    .addOption(
      new Option('-o, --output <form>', 'stream the output, or print the final status').choices([
        'stream',
        'json',
      ]),
    );
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const request = buildRequest(options, command.args);
  const client = connect(options);

  const json = options.output === 'json' || (isWholeRequest(options) && options.output !== 'stream');
  // From here on a signal is meant for the task: it may be accepted at any moment, even before its id is known here.
  const owner = request.control_context?.owner ?? options.owner;
  const interruption = new Interruption(client, owner);
  try {
    const { task_id: taskId, warnings = [] } = await printingRefusals(json, options, () =>
      submitOnce(client, request),
    );
    interruption.accepted(taskId);
    for (const warning of warnings) await note(inOwnWords(warning, options));
    const waiting = new WaitingNote(client, taskId);
    const end = await (
      json
        ? finalStatus(client, taskId, options)
        : streamed(client, taskId, options, interruption, request.execution)
    ).finally(() => {
      waiting.stop();
    });
    return end.status === 'cancelled' && interruption.exitCode !== undefined
      ? interruption.exitCode
      : exitCodeOf(end);
  } catch (error) {
    if (!(error instanceof ExecgoTimeoutError)) throw error;
    const { taskId } = error;
    const { server } = options;
    const show = typedCommand('logs', ['-f', taskId], { server });
    await note(
      `${error.message}: ${show} shows it, ${typedCommand('kill', [taskId], { server, owner })} ends it`,
    );
    return EXIT.timeout;
  } finally {
    interruption.dispose();
  }
}

async function finalStatus(client: ExecgoClient, taskId: string, options: Options): Promise<TaskEnding> {
  const view = await client.wait(taskId, { timeoutMs: options.timeoutMs });
  await printJson(view);
  return view;
}

async function streamed(
  client: ExecgoClient,
  taskId: string,
  options: Options,
  interruption: Interruption,
  execution: TaskSubmission['execution'],
): Promise<TaskEnding> {
  const { timeoutMs } = options;
  const end = await streamOutput(client, taskId, {
    attempt: 1,
    timeoutMs,
    onReaderGone: (error) => {
      interruption.readerGone();
      if (error.message !== '') void note(error.message);
    },
  });
  if (end.status === 'success' || (end.exit_code ?? 0) !== 0) return end;
  const view = await client.status(taskId, { patient: true });
  if (view.error !== undefined && interruption.exitCode === undefined)
    await note(`${inOwnWords(view.error.message, options)}${hint(view, execution, options)}`);
  return end;
}

/** A whole request was written with the names of the API, everything else with flags. */
function inOwnWords(text: string, options: Options): string {
  return isWholeRequest(options) ? text : flagsInText(text);
}

/** What only a shell knows, and people take for programs. */
const SHELL_WORDS = new Set(
  'alias cd eval exec export for if set source type ulimit umask unset until while'.split(' '),
);

/** What a person can do about a command that could not be started. */
function hint(
  { cause, error, limits }: TaskView,
  { program, args, env }: TaskSubmission['execution'],
  { server }: Options,
): string {
  if (cause === 'oom' && limits.memory_bytes !== undefined) return ` (${formatSize(limits.memory_bytes)})`;
  if (cause !== 'launch' || error === undefined) return '';
  if (error.message.includes('working directory'))
    return ' (-C starts it in another directory, --workspace in one of its own)';
  if (/\s/.test(program ?? '')) return ` (${asWords(program ?? '', server)})`;
  if (SHELL_WORDS.has(program ?? '')) {
    const line = [program, ...(args ?? [])].join(' ');
    return ` (it is a word of the shell; write ${typedCommand('run', ['--', 'sh', '-c', line], { server })})`;
  }
  return env?.['PATH'] === undefined && error.message.includes("not found in the task's PATH")
    ? ` (that is the daemon's PATH; -e PATH="$PATH" gives it yours)`
    : '';
}

/** How a line of shell that was given as one word is to be written: as words, or for a shell where only a shell reads it. */
function asWords(line: string, server: string): string {
  const words = line.trim().split(/\s+/);
  const isPlain = words.every((word) => shellWord(word) === word && !/^\w+=/.test(word));
  const command = isPlain ? words : ['sh', '-c', line];
  return `it was given as one word, and is taken for the name of a program; write ${typedCommand('run', ['--', ...command], { server })}`;
}
