/** What an operator says there is of a named resource. */
export interface NamedResource {
  amount: number;
  /** Each by its name, of which a task gets its own; absent where it is only counted. */
  items?: string[] | undefined;
  /** Further variables in which a task finds its own. */
  variables: string[];
}

/** What an operator says, by name. */
export type NamedResources = ReadonlyMap<string, NamedResource>;

/** What the name of a resource may be: a variable is called after it. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
export const NAME_RULE = 'must begin with a letter and have at most 64 letters, digits, "_" and "-"';

export function isResourceName(name: string): boolean {
  return NAME.test(name);
}

/** The variable in which a task finds what it has of a resource: `EXECGO_RESOURCE_GPU`. */
export function variableOf(name: string): string {
  return `EXECGO_RESOURCE_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** What there is, for a sentence: `gpu (4), licence (5)`. */
export function namedResourcesText(amounts: Readonly<Record<string, number>> = {}): string {
  const all = Object.entries(amounts).map(([name, amount]) => `${name} (${amount})`);
  return all.length === 0 ? 'none (serve --resource)' : all.join(', ');
}
