import { refName } from '../../task/dependencies.js';
import { invalidInput } from '../../task/errors.js';
import { isPlainObject } from '../../task/plain-object.js';

/** An item of a batch, and those that it starts after. */
export interface RefItem {
  /** Its place in the batch. */
  at: number;
  /** As it was sent, but for its own `ref`. */
  body: unknown;
  ref: string | undefined;
  /** By the names that it has for them. */
  after: ReadonlyMap<string, RefItem>;
  /** Why it is refused before anything is looked at. */
  problem: Error | undefined;
}

/**
 * The items of a batch, each behind those that it starts after. What is wrong with the names of an item is said of that item;
 * one that starts after it is refused with it.
 */
export function inOrderOfRefs(items: readonly unknown[]): RefItem[] {
  const nodes = items.map((item, at) => ({ ...split(item), at, after: new Map<string, RefItem>() }));
  const byRef = new Map<string, (typeof nodes)[number]>();
  for (const node of nodes) {
    const { ref } = node;
    if (ref === undefined) continue;
    const other = byRef.get(ref);
    if (other !== undefined)
      node.problem ??= invalidInput(
        `ref: item ${other.at} of this batch is called ${JSON.stringify(ref)}, too`,
      );
    else byRef.set(ref, node);
  }
  for (const node of nodes)
    for (const [i, name] of refsOf(node.body)) {
      const found = byRef.get(name);
      if (found === undefined)
        node.problem ??= invalidInput(
          `policy.after.${i}.ref: no item of this batch is called ${JSON.stringify(name)}`,
        );
      else if (node.after.has(name))
        node.problem ??= invalidInput(`policy.after.${i}.ref: names ${JSON.stringify(name)} a second time`);
      else node.after.set(name, found);
    }
  return sorted(nodes);
}

/** A body with ids in the place of names. @param idOf the id of a named item */
export function withoutRefs(body: unknown, idOf: (ref: string) => string): unknown {
  if (refsOf(body).length === 0) return body;
  const { policy, ...rest } = body as { policy: { after: unknown[] } };
  const after = policy.after.map((each) => {
    if (!isPlainObject(each) || typeof each.ref !== 'string') return each;
    const { ref, ...more } = each;
    return { task_id: idOf(ref), ...more };
  });
  return { ...rest, policy: { ...policy, after } };
}

function split(item: unknown): Pick<RefItem, 'body' | 'ref' | 'problem'> {
  if (!isPlainObject(item) || !Object.hasOwn(item, 'ref'))
    return { body: item, ref: undefined, problem: undefined };
  const { ref, ...body } = item;
  if (ref === null) return { body, ref: undefined, problem: undefined };
  const parsed = refName.safeParse(ref);
  if (parsed.success) return { body, ref: parsed.data, problem: undefined };
  return {
    body,
    ref: undefined,
    problem: invalidInput(`ref: ${parsed.error.issues[0]?.message ?? 'is not valid'}`),
  };
}

/** The names in `policy.after`, with their places. Whatever else is wrong there is found when the item is validated. */
function refsOf(body: unknown): [number, string][] {
  const policy = isPlainObject(body) ? body.policy : undefined;
  const after = isPlainObject(policy) ? policy.after : undefined;
  if (!Array.isArray(after)) return [];
  return after.flatMap((each: unknown, i): [number, string][] =>
    isPlainObject(each) && typeof each.ref === 'string' && !Object.hasOwn(each, 'task_id')
      ? [[i, each.ref]]
      : [],
  );
}

/** Each behind those that it starts after; those that wait for each other come last, with a problem. */
function sorted(nodes: readonly RefItem[]): RefItem[] {
  const followers = new Map<RefItem, RefItem[]>();
  const waitsFor = new Map<RefItem, number>();
  for (const node of nodes) {
    waitsFor.set(node, node.after.size);
    for (const before of node.after.values()) followers.set(before, [...(followers.get(before) ?? []), node]);
  }
  const order = nodes.filter((node) => node.after.size === 0);
  for (const node of order)
    for (const follower of followers.get(node) ?? []) {
      const left = (waitsFor.get(follower) ?? 0) - 1;
      waitsFor.set(follower, left);
      if (left === 0) order.push(follower);
    }
  const done = new Set(order);
  const rest = nodes.filter((node) => !done.has(node));
  for (const node of rest)
    node.problem ??= invalidInput(
      `policy.after: items of this batch would wait for each other: ${cycleFrom(node, done)}`,
    );
  return [...order, ...rest];
}

/** A cycle that can be reached from an item which is not done, in words. */
function cycleFrom(start: RefItem, done: ReadonlySet<RefItem>): string {
  const way = new Map<RefItem, string>();
  let at: RefItem | undefined = start;
  while (at !== undefined && !way.has(at)) {
    const next: [string, RefItem] | undefined = [...at.after].find(([, node]) => !done.has(node));
    way.set(at, next?.[0] ?? '');
    at = next?.[1];
  }
  const steps = [...way].slice([...way.keys()].indexOf(at ?? start)).map(([, name]) => JSON.stringify(name));
  const shown = steps.slice(0, 5);
  return [...shown, ...(steps.length > 5 ? [`${steps.length - 5} more`] : []), steps[0]].join(' after ');
}
