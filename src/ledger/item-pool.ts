import type { NamedResources } from '../task/named-resource.js';
import type { NamedAmounts, ResourceItems, Resources } from '../task/resources.js';

/** The items of each named resource that has any, and how many tasks hold each: one, but for what rows of others may say. */
export class ItemPool {
  readonly #holders = new Map<string, Map<string, number>>();

  constructor(resources: NamedResources) {
    for (const [name, { items }] of resources)
      if (items !== undefined) this.#holders.set(name, new Map(items.map((item) => [item, 0])));
  }

  /**
   * Items that nobody holds, the first in the order in which the operator named them; they are held from now on.
   * @throws Error when too few are free
   */
  take({ resources = {} }: Resources): ResourceItems {
    const taken = Object.entries(resources).flatMap(([name, amount]): [string, string[]][] => {
      const holders = this.#holders.get(name);
      if (holders === undefined) return [];
      const free: string[] = [];
      for (const [item, count] of holders) {
        if (free.length === amount) break;
        if (count === 0) free.push(item);
      }
      if (free.length < amount)
        throw new Error(`only ${free.length} items of ${name} are free, not ${amount}`);
      return [[name, free]];
    });
    const items = Object.fromEntries(taken);
    this.hold(items);
    return items;
  }

  /** Takes note that a task has them; what this machine does not have any more does not count. */
  hold(items: ResourceItems): void {
    this.#count(items, 1);
  }

  /** Gives back what was taken or held. */
  giveBack(items: ResourceItems): void {
    this.#count(items, -1);
  }

  /** All items of the resources that a task reserves: for one of which nobody can say which it has. */
  allOf({ resources = {} }: Resources): ResourceItems {
    return Object.fromEntries(
      Object.keys(resources).flatMap((name) => {
        const holders = this.#holders.get(name);
        return holders === undefined ? [] : [[name, [...holders.keys()]]];
      }),
    );
  }

  /**
   * How much of this machine's resources a task takes that has these items: what it reserves, without items that there are no
   * more, so that those which have come in their place can be given to others.
   */
  shareOf({ resources = {} }: Resources, items: ResourceItems): NamedAmounts {
    const names = new Set([...Object.keys(resources), ...Object.keys(items)]);
    return Object.fromEntries(
      [...names].map((name) => {
        const reserved = Object.hasOwn(resources, name) ? (resources[name] ?? 0) : 0;
        const held = new Set(Object.hasOwn(items, name) ? items[name] : []);
        const holders = this.#holders.get(name);
        if (holders === undefined) return [name, Math.max(reserved, held.size)];
        const present = [...held].filter((item) => holders.has(item)).length;
        return [name, present + Math.max(0, reserved - held.size)];
      }),
    );
  }

  #count(items: ResourceItems, change: 1 | -1): void {
    for (const [name, held] of Object.entries(items)) {
      const holders = this.#holders.get(name);
      for (const item of new Set(held)) {
        const count = holders?.get(item);
        if (count !== undefined) holders?.set(item, count + change);
      }
    }
  }
}
