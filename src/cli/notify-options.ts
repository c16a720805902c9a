import type { Command } from 'commander';
import type { TaskSubmission } from '../client/index.js';
import { UsageError } from './usage-error.js';

export type NotifyList = NonNullable<NonNullable<TaskSubmission['policy']>['notify']>;

type GroupNotifyList = NonNullable<NonNullable<TaskSubmission['policy']>['group_notify']>;

/** The flags that say who is told of an end. */
export interface NotifyOptions {
  notify?: string[];
  notifyOn?: string[];
  notifySecret?: string;
}

/** The flags that say who is told when a group is done. */
export interface GroupNotifyOptions {
  groupNotify?: string[];
  groupNotifyOn?: string[];
  groupNotifySecret?: string;
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

/** Adds the flags of {@link GroupNotifyOptions}. */
export function addGroupNotifyOptions(command: Command): Command {
  return command
    .option(
      '--group-notify <url>',
      'send a message there when the last of its group has ended; repeatable',
      collectText,
    )
    .option(
      '--group-notify-on <words>',
      'only when the group has gone so: success, failed or cancelled; without it always',
      words,
    )
    .option(
      '--group-notify-secret <name>',
      "the daemon's secret that signs those messages; without it they are not signed",
    );
}

/** What the flags say. @throws UsageError when they say how, but not whom to tell */
export function notifyPolicy(options: NotifyOptions): NotifyList | undefined {
  const { notify: urls, notifyOn: on, notifySecret: secret } = options;
  return asTyped('--notify', { urls, on, secret }) as NotifyList | undefined;
}

/** What the flags say. @throws UsageError when they say how, but not whom to tell */
export function groupNotifyPolicy(options: GroupNotifyOptions): GroupNotifyList | undefined {
  const { groupNotify: urls, groupNotifyOn: on, groupNotifySecret: secret } = options;
  return asTyped('--group-notify', { urls, on, secret }) as GroupNotifyList | undefined;
}

interface Typed {
  urls: string[] | undefined;
  on: string[] | undefined;
  secret: string | undefined;
}

function asTyped(flag: string, { urls, on, secret }: Typed) {
  if (urls !== undefined) return urls.map((url) => ({ when: on, webhook: { url, secret_ref: secret } }));
  const other = on !== undefined ? '-on' : secret !== undefined ? '-secret' : undefined;
  if (other !== undefined) throw new UsageError(`${flag}${other} goes with ${flag}, which says where to`);
  return undefined;
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
