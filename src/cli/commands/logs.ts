import { Option } from 'commander';
import type { ExecgoClient, HeadTailView, OutputStream } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { noteOmitted, streamOutput } from '../stream-output.js';
import { findTail } from '../tail-offset.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { write } from '../write.js';

/** Bytes per request. */
const RANGE_BYTES = 1_048_576;

interface Options {
  server: string;
  follow?: boolean;
  stream: OutputStream | 'both';
  attempt?: number;
  tail?: number;
  headTail?: boolean;
}

/** `execgo logs`: writes a task's output byte for byte, its standard output to ours and its standard error to ours. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('logs', "Shows a task's output: exact bytes, each stream to its own.", [
    'execgo logs my-task',
    'execgo logs -f --tail 20 my-task',
    'execgo logs --stream stderr my-task | less',
    'execgo logs --head-tail my-task',
    'execgo logs --attempt 1 my-task',
  ])
    .argument('<id>', 'the task')
    .option('-f, --follow', 'go on as output comes, until the task has ended')
    .addOption(new Option('--stream <stream>', 'which').choices(['stdout', 'stderr', 'both']).default('both'))
    .option('--attempt <n>', 'of which attempt, from 1; the last one without it', parseCount)
    .option('--tail <lines>', 'begin so many lines before the end', parseCount)
    .option('--head-tail', 'only the first and the last of it');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  if (options.headTail === true && (options.follow === true || options.tail !== undefined))
    throw new UsageError('--head-tail goes with neither -f nor --tail');
  const client = connect(options);
  await show(client, command.args[0] ?? '', options);
  return EXIT.ok;
}

/** A stream of one attempt. */
interface Source {
  stream: OutputStream;
  attempt: number | undefined;
}

async function show(client: ExecgoClient, taskId: string, options: Options): Promise<void> {
  const { stream, attempt, tail } = options;
  const streams: OutputStream[] = stream === 'both' ? ['stdout', 'stderr'] : [stream];
  if (options.headTail === true) {
    for (const name of streams)
      await showHeadTail(await client.outputView(taskId, { stream: name, attempt }));
  } else if (options.follow !== true) {
    for (const name of streams)
      await showRange(
        client,
        taskId,
        { stream: name, attempt },
        await startOf(client, taskId, { stream: name, attempt }, tail),
      );
  } else if (tail === undefined) {
    // Following waits for a daemon that restarts, so first report an unknown task, or a daemon that is not there at all.
    await client.status(taskId);
    await streamOutput(client, taskId, { stream, attempt });
  } else {
    // Each stream starts at an offset of its own.
    const offsets = await Promise.all(
      streams.map((name) => startOf(client, taskId, { stream: name, attempt }, tail)),
    );
    await Promise.all(
      streams.map((name, i) => streamOutput(client, taskId, { stream: name, attempt, offset: offsets[i] })),
    );
  }
}

function startOf(
  client: ExecgoClient,
  taskId: string,
  of: Source,
  tail: number | undefined,
): Promise<number> {
  if (tail === undefined) return Promise.resolve(0);
  return findTail((offset, limit) => client.output(taskId, { ...of, offset, limit }), tail);
}

async function showRange(client: ExecgoClient, taskId: string, of: Source, start: number): Promise<void> {
  const { stream } = of;
  let offset = start;
  for (;;) {
    const range = await client.output(taskId, { ...of, offset, limit: RANGE_BYTES });
    if (range.offset > offset) await noteOmitted(stream, range.offset - offset);
    if (range.data.length > 0) await write(target(stream), range.data);
    if (range.eof || range.next_offset <= offset) return;
    offset = range.next_offset;
  }
}

async function showHeadTail(view: HeadTailView): Promise<void> {
  const lines = view.omitted_lines === undefined ? '' : ` in ${String(view.omitted_lines)} lines`;
  const gap =
    view.omitted_bytes === 0 ? '' : `\n[… ${String(view.omitted_bytes)} bytes${lines} left out …]\n`;
  await write(target(view.stream), `${view.head}${gap}${view.tail}`);
}

function target(stream: OutputStream): NodeJS.WriteStream {
  return stream === 'stdout' ? process.stdout : process.stderr;
}
