import type { Setting } from './setting.js';

/** The settings of messages about ends, which are part of those of `execgo serve`. */
export const WEBHOOK_SETTINGS = {
  webhookAllow: {
    flag: '--webhook-allow <host[:port]>',
    kind: 'hosts',
    repeatable: true,
    otherwise: 'nobody',
    help: 'a host to which messages about ends may be sent',
    more: ': a name, an address, or a block of addresses such as `10.0.0.0/8`; a name leads to an address that is not public only where that is allowed, too',
  },
  webhookSecrets: {
    flag: '--webhook-secrets <dir>',
    kind: 'absolute',
    help: 'the directory of the secrets that sign them',
    more: ', a file for each, which is named by `secret_ref`',
  },
  webhookTimeoutMs: {
    flag: '--webhook-timeout-ms <n>',
    kind: 'count',
    min: 1,
    default: 15_000,
    help: 'how long a receiver may take to answer',
  },
  webhookRetryMs: {
    flag: '--webhook-retry-ms <n>',
    kind: 'count',
    min: 1,
    default: 5000,
    help: 'how long the second attempt to deliver a message waits',
    more: '; each further one twice as long, up to an hour',
  },
  webhookMaxAttempts: {
    flag: '--webhook-max-attempts <n>',
    kind: 'count',
    min: 1,
    default: 30,
    help: 'after how many attempts a message is given up',
  },
  webhookMaxAgeSecs: {
    flag: '--webhook-max-age-secs <n>',
    kind: 'count',
    min: 1,
    default: 86_400,
    help: 'after how long a message is given up',
  },
} as const satisfies Readonly<Record<string, Setting>>;
