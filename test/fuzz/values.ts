import type { Random } from './random.js';

/** As much of JSON Schema as the specification uses. */
export interface Schema {
  type?: string | string[];
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
}

const MAX_SAFE = Number.MAX_SAFE_INTEGER;
const NUMBERS = [
  0,
  1,
  -1,
  2,
  100,
  4096,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  MAX_SAFE,
  2 * MAX_SAFE,
  1e308,
  0.5,
  -0,
];
export const TEXTS = [
  ...[
    '',
    ' ',
    'a',
    'x=y',
    '0',
    '-1',
    'null',
    'true',
    '..',
    '.',
    '/',
    '%',
    '%00',
    '%zz',
    '\u0000',
    '\n',
    '\u202e',
  ],
  ...['\ud800', '\u{1f642}', "'; DROP TABLE tasks; --", '{{', '__proto__', 'constructor', 'x'.repeat(300)],
];

/** Where texts are run or opened: only what does no harm, as tasks are real. By the last name of their path. */
const HARMLESS: Record<string, readonly string[]> = {
  kind: ['command', 'script'],
  program: [
    'true',
    'false',
    'echo',
    '/bin/true',
    'no-such-program',
    '/no/such',
    './no',
    '',
    '\u0000',
    'x'.repeat(5000),
  ],
  script: ['exit 0', 'exit 3', 'echo out; echo err >&2', 'kill -9 $$', '', '\u0000'],
  interpreter: ['/bin/sh', 'sh', 'no-such-interpreter', ''],
  cwd: ['/', '/tmp', '/no/such', 'relative', '..', '', '/dev/null', '\u0000'],
  rootfs: ['/no/such/root', '', 'relative'],
  workspace_subdir: ['a', 'a/b', '../x', '/x', '', 'x'.repeat(300)],
  task_id: ['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7', '..', 'a/b', 'x'.repeat(129)],
  idempotency_key: ['k0', 'k1', 'k2', ''],
};

/** A value for `schema`: mostly one that it lets through, now and then any other. */
export function valueFor(random: Random, schema: Schema, name = '', depth = 0): unknown {
  if (random.chance(0.03)) return junk(random, depth);
  const { anyOf, properties } = schema;
  const some = anyOf?.filter(({ type }) => type !== 'null');
  if (some !== undefined)
    return random.chance(0.15) ? null : valueFor(random, random.pick(some), name, depth);
  if (schema.enum !== undefined) return random.chance(0.9) ? random.pick(schema.enum) : random.pick(TEXTS);
  const types = [schema.type ?? 'string'].flat();
  const type = types.length > 1 && random.chance(0.15) ? 'null' : types.find((t) => t !== 'null');
  switch (type) {
    case 'object':
      return properties === undefined ? mapFor(random, schema, depth) : objectFor(random, schema, depth);
    case 'array':
      return Array.from({ length: random.below(4) }, () =>
        valueFor(random, schema.items ?? {}, name, depth + 1),
      );
    case 'boolean':
      return random.chance(0.5);
    case 'integer':
    case 'number':
      return random.chance(0.5) ? 1 + random.below(5000) : random.pick(NUMBERS);
    case 'null':
      return null;
    default:
      return random.pick(HARMLESS[name] ?? TEXTS);
  }
}

function objectFor(random: Random, { properties = {}, required = [] }: Schema, depth: number): object {
  const entries = Object.entries(properties).flatMap(([name, schema]): [string, unknown][] => {
    const wanted = required.includes(name) ? 0.97 : depth === 0 ? 0.3 : 0.25;
    return random.chance(wanted) ? [[name, valueFor(random, schema, name, depth + 1)]] : [];
  });
  if (random.chance(0.05)) entries.push([random.pick(TEXTS), junk(random, depth)]);
  const made = Object.fromEntries(entries);
  // A request that can run is the exception when kind, program and script are drawn apart.
  if ('kind' in properties && random.chance(0.7))
    return random.chance(0.7)
      ? { kind: 'command', program: random.pick(['true', 'false', 'echo']), args: ['a'] }
      : { kind: 'script', script: random.pick(['exit 0', 'echo out', 'exit 3']) };
  return made;
}

function mapFor(random: Random, { additionalProperties: values }: Schema, depth: number): object {
  const of = typeof values === 'object' ? values : {};
  const names = Array.from({ length: random.below(3) }, () => random.pick(['A', 'b', 'LC_ALL', ...TEXTS]));
  return Object.fromEntries(names.map((name) => [name, valueFor(random, of, '', depth + 1)]));
}

/** A value that no schema asked for. */
export function junk(random: Random, depth = 0): unknown {
  const kind = random.below(depth > 5 ? 4 : 7);
  if (kind === 0) return random.pick(TEXTS);
  if (kind === 1) return random.pick(NUMBERS);
  if (kind === 2) return random.chance(0.5);
  if (kind === 3) return null;
  if (kind === 4) return Array.from({ length: random.below(5) }, () => junk(random, depth + 1));
  if (kind === 5) return { [random.pick(TEXTS)]: junk(random, depth + 1) };
  let deep: unknown = 1;
  for (let i = random.below(200); i > 0; i--) deep = random.chance(0.5) ? [deep] : { deep };
  return deep;
}
