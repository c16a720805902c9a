import { variableOf, type NamedResources } from '../../task/named-resource.js';
import type { NamedAmounts, ResourceItems } from '../../task/resources.js';

/**
 * What a task is told of the named resources that it has: the names of its items, or how much, where they are only counted. The
 * operator's variables are set for every task, empty for one that has nothing: it must not find what belongs to others.
 */
export function resourceVariables(
  resources: NamedResources,
  asked: NamedAmounts = {},
  items: ResourceItems = {},
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const resource of resources.values())
    for (const variable of resource.variables) variables[variable] = '';
  // What the daemon before had named, a task still has.
  for (const name of Object.keys(asked)) {
    const own = Object.hasOwn(items, name) ? items[name]?.join(',') : undefined;
    const value = own ?? String(asked[name]);
    for (const variable of [variableOf(name), ...(resources.get(name)?.variables ?? [])])
      variables[variable] = value;
  }
  return variables;
}
