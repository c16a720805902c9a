import { isResourceName, NAME_RULE, variableOf, type NamedResource } from '../task/named-resource.js';
import { QUOTA_WORDS } from './tenant-quota.js';

/** The text of a named resource is wrong; the message says how. */
export class NamedResourceError extends Error {
  override readonly name = 'NamedResourceError';
}

/** What all names of items may take, in bytes: the kernel accepts no variable of 128 KiB. */
const ITEMS_BYTES = 100_000;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Ours begin with it: an operator's must not take their place. */
const OWN = 'EXECGO_';

/**
 * Parses `NAME[:VARIABLE…]=ITEM,ITEM,…` and `NAME[:VARIABLE…]=COUNT`. Spaces are trimmed. One whole number is a count; a comma
 * behind it makes an item of it.
 * @throws NamedResourceError
 */
export function parseNamedResource(text: string): { name: string; resource: NamedResource } {
  const wrong = (why: string) => new NamedResourceError(`"${text.slice(0, 200)}" ${why}`);
  const at = text.indexOf('=');
  if (at < 0) throw wrong('has no "=": write NAME=ITEM,ITEM or NAME=COUNT');
  const [name = '', ...variables] = text
    .slice(0, at)
    .split(':')
    .map((word) => word.trim());
  if (!isResourceName(name)) throw wrong(`has the name "${name}", which ${NAME_RULE}`);
  if (QUOTA_WORDS.includes(name)) throw wrong(`has the name "${name}", which execgo has itself`);
  const odd = variables.find((each) => !VARIABLE.test(each) || each.startsWith(OWN));
  if (odd !== undefined) throw wrong(`has "${odd}" for a variable, which it cannot be`);
  return { name, resource: { ...amountOrItems(text.slice(at + 1), wrong), variables } };
}

function amountOrItems(text: string, wrong: (why: string) => Error): Pick<NamedResource, 'amount' | 'items'> {
  const words = text.split(',').map((word) => word.trim());
  const [first = ''] = words;
  if (words.length === 1 && /^\d+$/.test(first)) {
    const amount = Number(first);
    if (amount === 0) throw wrong('is none at all: for one item called 0 write "0,"');
    if (!Number.isSafeInteger(amount)) throw wrong('must be at most 2^53-1');
    return { amount };
  }
  // A comma at the end is allowed.
  const items = words.at(-1) === '' ? words.slice(0, -1) : words;
  if (items.length === 0 || items.includes('')) throw wrong('has an item without a name');
  // eslint-disable-next-line no-control-regex -- controls are what is looked for
  if (items.some((item) => /[\u0000-\u001f\u007f]/.test(item)))
    throw wrong('has an item with a control character in its name');
  const twice = items.find((item, i) => items.indexOf(item) !== i);
  if (twice !== undefined) throw wrong(`has the item "${twice}" twice`);
  if (Buffer.byteLength(items.join(',')) > ITEMS_BYTES)
    throw wrong(`has names of items with more than ${ITEMS_BYTES} bytes in all`);
  return { amount: items.length, items };
}

/**
 * All of them by name.
 * @throws NamedResourceError also where a task could not tell two apart
 */
export function parseNamedResources(texts: readonly string[]): ReadonlyMap<string, NamedResource> {
  const all = new Map<string, NamedResource>();
  const owners = new Map<string, string>();
  for (const { name, resource } of texts.map(parseNamedResource)) {
    if (all.has(name)) throw new NamedResourceError(`${name} is given twice`);
    all.set(name, resource);
    for (const variable of [variableOf(name), ...resource.variables]) {
      const owner = owners.get(variable);
      if (owner !== undefined)
        throw new NamedResourceError(
          owner === name
            ? `${name} has the variable ${variable} twice`
            : `${owner} and ${name} have the same variable, ${variable}`,
        );
      owners.set(variable, name);
    }
  }
  return all;
}
