import { Option, type Command } from 'commander';
import { LIMITS, type LimitName } from '../sandbox/limits/limits.js';
import { parseCount, parseDuration, parseSeconds, parseSize } from './units.js';
import { UsageError } from './usage-error.js';

const READ = {
  '<duration>': parseDuration,
  '<seconds>': parseSeconds,
  '<size>': parseSize,
  '<n>': parseCount,
};

/** Adds a flag for each limit on how a task runs. */
export function addLimitOptions(command: Command): Command {
  for (const { flag } of LIMITS) {
    const shown = flag.value === '<seconds>' ? '<duration>' : flag.value;
    command.option(`--${flag.name} ${shown}`, flag.help, READ[flag.value]);
  }
  return command.option(
    '--resource <name[=n]>',
    'how much it needs of a resource that the operator has named, 1 where no number is given; repeatable',
    collectResource,
  );
}

/** The limits that were given, under their names in a request. */
export function limitsOf(
  options: object,
): Partial<Record<LimitName, number>> & { resources?: Record<string, number> } {
  const given = new Map<string, unknown>(Object.entries(options));
  const values = LIMITS.flatMap(({ name, flag }): [LimitName, number][] => {
    const value = given.get(new Option(`--${flag.name}`).attributeName());
    return typeof value === 'number' ? [[name, value]] : [];
  });
  const resources = given.get('resource') as Record<string, number> | undefined;
  return { ...Object.fromEntries(values), ...(resources === undefined ? {} : { resources }) };
}

/** @throws UsageError */
function collectResource(text: string, previous: Record<string, number> = {}): Record<string, number> {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  if (name === '') throw new UsageError(`"${text}" has no name: write NAME or NAME=N`);
  const amount = at < 0 ? 1 : parseCount(text.slice(at + 1));
  if (amount === 0) throw new UsageError(`"${text}" asks for nothing: leave it out`);
  return Object.fromEntries([...Object.entries(previous), [name, amount]]);
}
