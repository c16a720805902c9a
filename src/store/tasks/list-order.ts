import type { ListOrder } from '../../task/list.js';

/** A place between two rows of a list: the key of the one before, and its submit_seq, which decides between equal keys. */
export interface Position {
  key: number;
  seq: number;
}

/** An order in which rows are read, by an index. */
export interface Order {
  /** The column that is the key; it is selected with each row. */
  key: 'submit_seq' | 'version' | 'created_at_ms' | 'finished_at_ms' | 'priority';
  /** No two rows have the same key. */
  unique: boolean;
  keyDown: boolean;
  seqDown: boolean;
}

const order = (key: Order['key'], keyDown: boolean, seqDown = keyDown): Order => ({
  key,
  unique: key === 'submit_seq' || key === 'version',
  keyDown,
  seqDown,
});

const ORDERS: Readonly<Record<ListOrder, Order>> = {
  newest: order('submit_seq', true),
  oldest: order('submit_seq', false),
  created: order('created_at_ms', true),
  finished: order('finished_at_ms', true),
  priority: order('priority', true, false),
};

/** Changes, as they came. */
export const BY_VERSION = order('version', false);

export function orderOf(name: ListOrder, reverse = false): Order {
  const found = ORDERS[name];
  return reverse ? order(found.key, !found.keyDown, !found.seqDown) : found;
}

/** The ORDER BY clause, for what selects the key and `submit_seq`. */
export function orderBy({ key, unique, keyDown, seqDown }: Order): string {
  const direction = (down: boolean) => (down ? 'DESC' : 'ASC');
  return `ORDER BY ${key} ${direction(keyDown)}${unique ? '' : `, submit_seq ${direction(seqDown)}`}`;
}

/**
 * The rows after a position, as conditions of which one must hold. Each of them is a range of the index: what is left out costs
 * nothing, however many rows there are, and however many have the same key.
 */
export function rangesAfter({ key, unique, keyDown, seqDown }: Order, at: Position) {
  const beyond = { sql: `${key} ${keyDown ? '<' : '>'} ?`, values: [at.key] };
  if (unique) return [beyond];
  const same = { sql: `${key} = ? AND submit_seq ${seqDown ? '<' : '>'} ?`, values: [at.key, at.seq] };
  return [same, beyond];
}
