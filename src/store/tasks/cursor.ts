import { invalidInput } from '../../task/errors.js';
import type { ListQuery } from '../../task/list.js';

type Order = ListQuery['order'];

/** An opaque cursor for the page after the task with this submit_seq, in this order. */
export function encodeCursor(order: Order, submitSeq: number): string {
  return Buffer.from(`${order}:${submitSeq}`).toString('base64url');
}

/**
 * The submit_seq in a cursor.
 * @throws ExecgoError `invalid_input` for one that was not made by {@link encodeCursor}, or for the other order
 */
export function decodeCursor(order: Order, cursor: string): number {
  const [, of, seq] =
    /^(newest|oldest):(-?\d{1,16})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (of === undefined || encodeCursor(of as Order, Number(seq)) !== cursor)
    throw invalidInput('cursor: is not one that a list returned');
  if (of !== order) throw invalidInput(`cursor: belongs to a list in the order "${of}"`);
  return Number(seq);
}
