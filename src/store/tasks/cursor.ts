import { invalidInput } from '../../task/errors.js';
import type { ListOrder } from '../../task/list.js';
import type { Position } from './list-order.js';

/** An order, and whether it is turned round. */
interface Named {
  order: ListOrder;
  reverse?: boolean | undefined;
}

const wordOf = ({ order, reverse }: Named) => (reverse === true ? `-${order}` : order);
const isSimple = ({ order }: Named) => order === 'newest' || order === 'oldest';

/** An opaque cursor for the page after this position, in this order. */
export function encodeCursor(order: Named, { key, seq }: Position): string {
  const at = isSimple(order) ? String(seq) : `${key}:${seq}`;
  return Buffer.from(`${wordOf(order)}:${at}`).toString('base64url');
}

/**
 * The position in a cursor.
 * @throws ExecgoError `invalid_input` for one that was not made by {@link encodeCursor}, or for another order
 */
export function decodeCursor(order: Named, cursor: string): Position {
  const number = '-?\\d{1,16}(?:\\.\\d+)?';
  const form = new RegExp(`^(-?)(newest|oldest|created|finished|priority):(?:(${number}):)?(-?\\d{1,16})$`);
  const [, minus, word, key, seq] = form.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  const of: Named = { order: word as ListOrder, reverse: minus === '-' };
  const at = { key: Number(key ?? seq), seq: Number(seq) };
  if (word === undefined || encodeCursor(of, at) !== cursor)
    throw invalidInput('cursor: is not one that a list returned');
  if (wordOf(of) !== wordOf(order))
    throw invalidInput(`cursor: belongs to a list in the order "${wordOf(of)}"`);
  return at;
}

/** Where a reader of changes is. All are versions. */
export interface ChangesPosition {
  /** What it knew before. */
  from: number;
  /** The last one that it has read. */
  at: number;
  /** Up to where it reads: what changes meanwhile comes with the next round. */
  to: number;
}

/** An opaque cursor for the page of changes after this position. */
export function encodeChangesCursor({ from, at, to }: ChangesPosition): string {
  return Buffer.from(`changes:${from}:${at}:${to}`).toString('base64url');
}

/** @throws ExecgoError `invalid_input` for a cursor that was not made by {@link encodeChangesCursor} after this version */
export function decodeChangesCursor(changedAfter: number, cursor: string): ChangesPosition {
  const [, from, at, to] =
    /^changes:(\d{1,16}):(\d{1,16}):(\d{1,16})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  const position = { from: Number(from), at: Number(at), to: Number(to) };
  const { from: known } = position;
  if (encodeChangesCursor(position) !== cursor || known > position.at || position.at > position.to)
    throw invalidInput('cursor: is not one that a list of changes returned');
  if (known !== changedAfter) throw invalidInput(`cursor: belongs to changed_after=${known}`);
  return position;
}
