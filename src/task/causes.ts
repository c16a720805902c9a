import type { ErrorBody } from './error-body.js';

/** Why a task ended: the closed set behind the five outside statuses. */
export const CAUSES = [
  'exit',
  'signal',
  'timeout',
  'cancelled',
  'oom',
  'cpu',
  'disk',
  'output',
  'launch',
  'sandbox',
  'queue_timeout',
  'lost',
  'dependency',
] as const;
export type Cause = (typeof CAUSES)[number];

/** How an end is judged: what follows from its status. */
export type Verdict =
  | { status: 'success'; cause: 'exit'; error?: undefined }
  | { status: 'failed'; cause: Exclude<Cause, 'cancelled' | 'dependency'>; error: ErrorBody }
  | { status: 'cancelled'; cause: 'cancelled' | 'dependency'; error: ErrorBody };
