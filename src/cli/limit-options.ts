import { Option, type Command } from 'commander';
import { LIMITS, type LimitName } from '../sandbox/limits/limits.js';
import { parseCount, parseDuration, parseSeconds, parseSize } from './units.js';

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
  return command;
}

/** The limits that were given, under their names in a request. */
export function limitsOf(options: object): Partial<Record<LimitName, number>> {
  const given = new Map<string, unknown>(Object.entries(options));
  const values = LIMITS.flatMap(({ name, flag }): [LimitName, number][] => {
    const value = given.get(new Option(`--${flag.name}`).attributeName());
    return typeof value === 'number' ? [[name, value]] : [];
  });
  return Object.fromEntries(values);
}
