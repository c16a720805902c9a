import type { Command } from 'commander';
import type { TaskSubmission } from '../client/index.js';
import { UsageError } from './usage-error.js';

export type NotifyList = NonNullable<NonNullable<TaskSubmission['policy']>['notify']>;

/** The flags that say who is told of an end. */
export interface NotifyOptions {
  notify?: string[];
  notifyOn?: string[];
  notifySecret?: string;
}

/** Adds the flags of {@link NotifyOptions}. @param what whose end is told, in words */
export function addNotifyOptions(command: Command, what = 'it'): Command {
  return command
    .option('--notify <url>', `send a message there when ${what} has ended; repeatable`, collectText)
    .option(
      '--notify-on <words>',
      'only at an end with one of these statuses or causes, such as failed,oom; without it at any',
      words,
    )
    .option(
      '--notify-secret <name>',
      "the daemon's secret that signs the messages; without it they are not signed",
    );
}

/** What the flags say. @throws UsageError when they say how, but not whom to tell */
export function notifyPolicy(options: NotifyOptions): NotifyList | undefined {
  const { notify, notifyOn, notifySecret } = options;
  if (notify === undefined) {
    const other =
      notifyOn !== undefined ? '--notify-on' : notifySecret !== undefined ? '--notify-secret' : undefined;
    if (other === undefined) return undefined;
    throw new UsageError(`${other} goes with --notify, which says where to`);
  }
  return notify.map((url) => ({
    when: notifyOn as NotifyList[number]['when'],
    webhook: { url, secret_ref: notifySecret },
  }));
}

/** Of a flag that may be given several times. */
export function collectText(text: string, previous: string[] = []): string[] {
  return [...previous, text];
}

/** Words with commas between them. */
export function words(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
