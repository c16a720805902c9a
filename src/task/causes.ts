/** Why a task ended: the closed set behind the five outside statuses. */
export const CAUSES = [
  'exit',
  'signal',
  'timeout',
  'cancelled',
  'oom',
  'cpu',
  'output',
  'launch',
  'sandbox',
  'queue_timeout',
  'lost',
] as const;
export type Cause = (typeof CAUSES)[number];
