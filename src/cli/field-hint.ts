import { REQUEST_FLAGS } from './typed-flags.js';
import type { UnknownOption } from './usage-error.js';

/**
 * A sentence for a flag that there is not: it is called as a field of the API that another flag of the command sends. Undefined
 * where none is.
 */
export function fieldHint({ typed, known }: Pick<UnknownOption, 'typed' | 'known'>): string | undefined {
  const word = wordOf(typed);
  const fields = Object.entries(REQUEST_FLAGS).filter(([, flag]) => known.includes(flag));
  // The more of a field's path was typed the surer it is meant.
  const named = fields.flatMap(([field, flag]) =>
    namesOf(field).flatMap((name, i) => (name === word ? [{ field, flag, i }] : [])),
  );
  const [first, ...others] = named.sort((a, b) => a.i - b.i);
  if (first === undefined || others.some(({ i, flag }) => i === first.i && flag !== first.flag))
    return undefined;
  return `unknown option '${typed}': the field ${first.field} is ${first.flag}`;
}

/** As fields are written: `--retry-backoff=5s` → `retry_backoff`. */
function wordOf(flag: string): string {
  return flag
    .replace(/=.*$/s, '')
    .replace(/^-+/, '')
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    .replace(/[-.]/g, '_');
}

/** What a field may be called: its path from any part on, with its unit or without it; the whole path first. */
function namesOf(field: string): string[] {
  const parts = field.split('.');
  return parts.flatMap((_part, i) => {
    const name = parts.slice(i).join('_');
    return [name, name.replace(/_(ms|bytes|secs)$/, '')];
  });
}
