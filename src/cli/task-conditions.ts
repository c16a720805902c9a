import type { Command } from 'commander';
import { parseInstant } from './units.js';

/** What chooses tasks by where they are, what they are called and when they came and ended, in each command that does. */
export function addTaskConditions(command: Command): Command {
  return command
    .option('--queue <name>', 'the queue')
    .option('--lane <name>', 'the lane of the queue')
    .option('--session <id>', 'the session')
    .option('--group <name>', 'the group')
    .option('--label <key[=value]>', 'a label, with this value or with any')
    .option('--text <text>', 'part of the id or of the command')
    .option('--created-after <time>', 'submitted then or later: a time, a day, or how long ago', parseTime)
    .option('--created-before <time>', 'submitted earlier than that', parseTime)
    .option('--finished-after <time>', 'ended then or later', parseTime)
    .option('--finished-before <time>', 'ended earlier than that', parseTime);
}

const parseTime = (text: string): string => parseInstant(text);
