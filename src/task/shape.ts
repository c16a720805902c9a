import { invalidInput } from './errors.js';

/** Limits for one request; a command line has far fewer of any of these. */
const MAX_DEPTH = 64;
export const MAX_KEYS = 10_000;
export const MAX_VALUES = 50_000;

/** A value that is still to be checked. */
interface Step {
  value: unknown;
  key: string;
  depth: number;
  parent: Step | undefined;
}

/**
 * Checks what no schema does, before validation: that a body is not nested too deeply and has not too many keys and values,
 * and that no key is `__proto__`, which JSON allows but copying an object drops.
 * @throws ExecgoError `invalid_input`, naming the limit or the key
 */
export function checkShape(body: unknown): void {
  const steps: Step[] = [{ value: body, key: '', depth: 0, parent: undefined }];
  let [keys, values] = [0, 0];
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    const { value, depth } = step;
    if (++values > MAX_VALUES) throw invalidInput(`body: has more than ${MAX_VALUES} values`);
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= MAX_DEPTH) throw invalidInput(`body: is nested more than ${MAX_DEPTH} levels deep`);
    const entries = Object.entries(value);
    if (!Array.isArray(value)) keys += entries.length;
    if (keys > MAX_KEYS) throw invalidInput(`body: has more than ${MAX_KEYS} keys`);
    for (const [key, inner] of entries) {
      const next: Step = { value: inner, key, depth: depth + 1, parent: step };
      if (key === '__proto__') throw invalidInput(`${pathOf(next)}: this key cannot be used`);
      steps.push(next);
    }
  }
}

function pathOf(step: Step): string {
  const keys: string[] = [];
  for (let at = step; at.parent !== undefined; at = at.parent) keys.unshift(at.key);
  return keys.join('.');
}
