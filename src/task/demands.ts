import type { TaskRequest } from './request.js';

/** The properties of this machine that a task can demand. */
export interface Machine {
  hostname: string;
  /** `--profile`. */
  profile: string | undefined;
  /** `--tag`. */
  tags: readonly string[];
}

/** A demand that this machine does not meet. */
export interface UnmetDemand {
  demand: 'hostname' | 'profile' | 'tags';
  wanted: string | string[];
  has: string | readonly string[] | undefined;
  /** In words: the demand, and what this machine has instead. */
  detail: string;
}

/**
 * The first demand of a request that this machine does not meet; undefined when it meets all of them. Host names are
 * compared without regard to case, and a name without a dot also matches the first part of the machine's. Profiles and tags
 * are compared exactly; the machine must have every tag.
 */
export function unmetDemand({ policy }: TaskRequest, machine: Machine): UnmetDemand | undefined {
  const { hostname, profile, tags = [] } = policy.demands ?? {};
  if (hostname !== undefined && !isNameOf(hostname, machine.hostname))
    return {
      ...{ demand: 'hostname', wanted: hostname, has: machine.hostname },
      detail: `policy.demands.hostname is ${quoted(hostname)}, and this machine is ${quoted(machine.hostname)}`,
    };
  if (profile !== undefined && profile !== machine.profile)
    return {
      ...{ demand: 'profile', wanted: profile, has: machine.profile },
      detail: `policy.demands.profile is ${quoted(profile)}, and this daemon has ${machine.profile === undefined ? 'none (serve --profile)' : quoted(machine.profile)}`,
    };
  const missing = tags.filter((tag) => !machine.tags.includes(tag));
  if (missing.length === 0) return undefined;
  const has = machine.tags.length === 0 ? 'none (serve --tag)' : machine.tags.map(quoted).join(', ');
  return {
    ...{ demand: 'tags', wanted: missing, has: machine.tags },
    detail: `policy.demands.tags has ${shortList(missing)}, and this daemon has ${has}`,
  };
}

/** How many names of a longer list are shown. */
const SHOWN = 10;

function shortList(names: readonly string[]): string {
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return names.slice(0, SHOWN).map(quoted).join(', ') + more;
}

/** A name that somebody chose, for a sentence: a long one is cut. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 99)}…` : text);
}

function isNameOf(wanted: string, hostname: string): boolean {
  const [a, b] = [wanted.toLowerCase(), hostname.toLowerCase()];
  return a === b || (!a.includes('.') && a === b.split('.', 1)[0]);
}
