import type { EndWord } from './notify.js';

/** How many follow-ups a task may have, and how many may follow each other. */
export const FOLLOW_UPS_MAX = 10;
export const CHAIN_MAX = 8;

/** One entry of `policy.on_end`. */
export interface OnEnd {
  /** Undefined: at any end. */
  when?: EndWord[] | undefined;
  /** A submit body, as it was sent. */
  submit: FollowUpBody;
}

/** A submit body, see `request.ts`; what it leaves open is decided when it is submitted. */
export type FollowUpBody = Record<string, unknown>;

/** How many tasks can follow each other from this body on, it included; counted up to one more than may. */
export function chainLength(body: unknown, most = CHAIN_MAX + 1): number {
  if (most === 0 || typeof body !== 'object' || body === null) return 0;
  const { policy } = body as { policy?: { on_end?: unknown } | null };
  const entries = policy?.on_end;
  const lengths = (Array.isArray(entries) ? (entries as unknown[]) : []).map((entry) =>
    typeof entry === 'object' && entry !== null && 'submit' in entry
      ? chainLength(entry.submit, most - 1)
      : 0,
  );
  return 1 + Math.max(0, ...lengths);
}
