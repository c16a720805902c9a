import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, type Option } from 'commander';
import { COMMANDS, type CommandEntry } from '../../src/cli/commands.js';
import { flagOf } from '../../src/settings/setting.js';
import { settingList } from '../../src/settings/settings.js';
import { defaultOf, explanationOf } from '../../src/settings/words.js';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Where the man page is, absolute. */
export const MAN_PAGE = at('docs/execgo.1');

/** The man page as it is to be: made from the commands, the table of settings and the exit codes in `docs/cli.md`. */
export async function manPage(): Promise<string> {
  const { version, description } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  const commands = [];
  for (const [name, entry] of Object.entries(COMMANDS)) commands.push({ name, ...(await helpOf(entry)) });
  return [
    `.TH EXECGO 1 "" "execgo ${version}" "User Commands"`,
    '.SH NAME',
    'execgo \\- run commands and scripts and never lose track of one',
    '.SH SYNOPSIS',
    '.B execgo',
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    text(description),
    '.SH COMMANDS',
    ...commands.flatMap(({ name, command, examples }) => section(name, command, examples)),
    '.SH EXIT STATUS',
    ...exitCodes('code'),
    '.PP',
    text('`run` and `wait` exit as the task does:'),
    ...exitCodes('exit code'),
    '.SH ENVIRONMENT',
    ...environment(commands.flatMap(({ command }) => command.options)),
    '',
  ].join('\n');
}

/** What a command's help is made of: it is asked for it, and prints nothing. */
async function helpOf(entry: CommandEntry): Promise<{ command: Command; examples: string[] }> {
  let command = new Command();
  let help = '';
  const { parse } = Command.prototype;
  Command.prototype.parse = function (this: Command, ...given: Parameters<typeof parse>) {
    command = this.configureOutput({ writeOut: (piece) => (help += piece) });
    return parse.apply(this, given);
  };
  try {
    await (await entry.load()).main(['--help']);
  } finally {
    Command.prototype.parse = parse;
  }
  const examples = help.split('\nExamples:\n')[1] ?? '';
  return { command, examples: examples.trim().split('\n') };
}

function section(name: string, command: Command, examples: string[]): string[] {
  const settings = new Map(settingList.map(([, setting]) => [flagOf(setting), setting]));
  const options = command.createHelp().visibleOptions(command);
  return [
    `.SS ${name}`,
    text(`${command.name()} ${command.usage()}`, '\\fB', '\\fR'),
    '.PP',
    text(command.description()),
    ...options.flatMap((option) => {
      const setting = name === 'serve' ? settings.get(option.long ?? '') : undefined;
      if (setting === undefined) return item(`.B ${escaped(option.flags)}`, explained(option));
      const value = defaultOf(setting);
      const origin = value === '' ? '' : ` (default: ${value})`;
      return item(`.B ${escaped(option.flags)}`, `${explanationOf(setting)}${origin}`);
    }),
    '.PP',
    'Examples:',
    '.PP',
    '.nf',
    ...examples.map((example) => text(example.trim())),
    '.fi',
  ];
}

/** As the help has it: with choices, default and variable. */
function explained(option: Option): string {
  return new Command().createHelp().optionDescription(option);
}

/** The rows of the table of `docs/cli.md` whose first column is this one. */
function exitCodes(column: string): string[] {
  const table = new RegExp(`^\\| ${column} +\\|.*\\n((?:\\|.*\\n)+)`, 'm');
  const [, rows = ''] = table.exec(readFileSync(at('docs/cli.md'), 'utf8')) ?? [];
  const cells = rows
    .split('\n')
    .map((row) => row.split(/(?<!\\)\|/).map((cell) => cell.replaceAll('\\|', '|').trim()));
  return cells.flatMap(([, code = '', means = '']) =>
    /^-*$/.test(code) ? [] : item(`.B ${escaped(code)}`, means),
  );
}

function environment(options: readonly Option[]): string[] {
  const variables = new Map<string, string>();
  for (const { envVar, long, description } of options)
    if (envVar !== undefined) variables.set(envVar, `${long ?? ''}: ${description}`);
  for (const [, setting] of settingList)
    if (setting.env !== undefined) variables.set(setting.env, `${flagOf(setting)} of serve`);
  return [...variables].flatMap(([name, stands]) => item(`.B ${name}`, `Stands for ${stands}`));
}

const item = (head: string, body: string) => ['.TP', head, text(body)];

/** One line of text: of markdown, what is typed is bold. */
function text(line: string, before = '', after = ''): string {
  const body = escaped(line).replace(/`([^`]+)`/g, '\\fB$1\\fR');
  const safe = /^[.']/.test(body) && before === '' ? `\\&${body}` : body;
  return `${before}${safe}${after}`;
}

const escaped = (line: string) =>
  line.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq');
