import { COMMANDS, type CommandEntry } from './commands.js';
import { EXIT } from './exit-codes.js';
import { UnknownOption, UsageError } from './usage-error.js';
import { shellWord } from '../files/shell-quote.js';
import { note, printLines, ReaderGone } from './write.js';

/**
 * Runs one command line: loads the module of the command that it names, and no other.
 * @param argv without node and script. @returns the exit code
 */
export async function main(argv: readonly string[]): Promise<number> {
  // `write` reports each failure to its caller; without a listener Node would throw the same error a second time.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    return await dispatch(argv);
  } catch (error) {
    if (error instanceof ReaderGone) {
      if (error.message === '') return EXIT.readerGone;
      await note(error.message);
      return EXIT.failed;
    }
    if (error instanceof UsageError) {
      await note(error instanceof UnknownOption ? await withHint(error) : error.message);
      return EXIT.usage;
    }
    const { explain } = await import('./explain.js');
    await note(explain(error));
    return EXIT.failed;
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const [first = '', ...rest] = argv;
  if (first === '--version' || first === '-V') {
    const { packageVersion } = await import('./package-version.js');
    await printLines([packageVersion()]);
    return EXIT.ok;
  }
  if (first === '--help' || first === '-h') return help();
  if (first === 'help') return rest[0] === undefined ? help() : dispatch([...rest, '--help']);
  if (first === '') throw new UsageError('no command given; see execgo --help');
  const [second = '', ...others] = rest;
  const byTwo = commandOf(`${first} ${second}`);
  if (byTwo !== undefined) return (await byTwo.load()).main(others);
  const entry = commandOf(first);
  if (entry !== undefined) return (await entry.load()).main(rest);
  const family = Object.keys(COMMANDS).filter((name) => name.startsWith(`${first} `));
  if (family.length === 0) throw new UsageError(`unknown command "${first}"; ${await suggestion(first)}`);
  if (second === '--help' || second === '-h') return help(family);
  throw new UsageError(
    second === ''
      ? `execgo ${first} what? See execgo ${first} --help`
      : `unknown command "${first} ${second}"; ${await suggestion(`${first} ${second}`, `see execgo ${first} --help`)}`,
  );
}

/** What is said of a flag that there is not. */
async function withHint(error: UnknownOption): Promise<string> {
  const { fieldHint } = await import('./field-hint.js');
  const hint = fieldHint(error);
  return hint === undefined ? error.message : `${hint}; ${error.help}`;
}

function commandOf(name: string): CommandEntry | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}

/**
 * What was probably meant by a word that is no command: another program's word for one, or one with a typing error, at most
 * two edits away and fewer than half of its letters.
 * @param otherwise what is said when nothing is like it
 */
async function suggestion(
  word: string,
  otherwise = `see execgo --help; a program is run by execgo run -- ${shellWord(word)}`,
): Promise<string> {
  const same = Object.entries(COMMANDS).filter(([, { also }]) => also?.includes(word) === true);
  const [first, ...others] = same;
  if (first !== undefined) {
    const named = same.map(
      ([name, { summary }]) => `"execgo ${name}"${others.length > 0 ? ` (${summary})` : ''}`,
    );
    return `did you mean ${named.join(' or ')}?`;
  }
  const { closestMatch, default: distance } = await import('leven');
  const near = closestMatch(word, Object.keys(COMMANDS), { maxDistance: 2 });
  return near !== undefined && distance(word, near) * 2 < Math.max(word.length, near.length)
    ? `did you mean "execgo ${near}"?`
    : otherwise;
}

/** @param family the commands with the same first word, for their help only */
async function help(family?: readonly string[]): Promise<number> {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const listed = Object.entries(COMMANDS).filter(([name]) => family?.includes(name) ?? true);
  const lines = listed.map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  if (family !== undefined) {
    await printLines(['Commands:', ...lines, '', 'Each with --help tells more.']);
    return EXIT.ok;
  }
  await printLines([
    'Usage: execgo <command> [options]',
    '',
    'Runs commands and scripts on this machine, under limits, and never loses track of one.',
    'A command starts in the directory where it is given, and may run as long as it takes, unless flags say otherwise.',
    '',
    'Commands:',
    ...lines,
    '',
    'Options:',
    '  -h, --help     show this help; "execgo <command> --help" tells more',
    '  -V, --version  show the version',
    '',
    'Examples:',
    '  execgo serve',
    '  execgo run -- make test',
    '  id=$(execgo submit --wall-time 10m --memory 512M -- ./train.sh) && execgo wait "$id"',
  ]);
  return EXIT.ok;
}
