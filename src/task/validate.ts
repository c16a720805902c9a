import { z } from 'zod';
import { invalidInput } from './errors.js';
import { submitSchema, type TaskRequest } from './request.js';
import { checkShape } from './shape.js';

/** How many problems or warnings an answer lists: a body may have a hundred thousand of them. */
const LISTED_MAX = 50;

export interface ValidatedSubmission {
  request: TaskRequest;
  /** One sentence for each unknown field. Empty when there are none. */
  warnings: string[];
}

/**
 * Validates a submit body.
 * @throws ExecgoError `invalid_input`, naming the first wrong field; `details` lists all of them.
 */
export function validateSubmission(body: unknown): ValidatedSubmission {
  checkShape(body);
  const parsed = submitSchema.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  const unknown = unknownInChain(body);
  const warnings = unknown.slice(0, LISTED_MAX).map((field) => `unknown field ${field} was ignored`);
  if (unknown.length > LISTED_MAX)
    warnings.push(`${unknown.length - LISTED_MAX} more unknown fields were ignored`);
  return { request: parsed.data, warnings };
}

/**
 * @param whole what a problem with no field of its own is about
 * @returns `invalid_input` that names the first wrong field and lists all of them in `details`
 */
export function invalidInputFrom(error: z.ZodError, whole = 'body'): Error {
  const problems = error.issues
    .slice(0, LISTED_MAX)
    .map((i) => ({ field: i.path.join('.') || whole, problem: problemOf(i) }));
  const first = problems[0] ?? { field: whole, problem: 'is not valid' };
  return invalidInput(`${first.field}: ${first.problem}`, problems);
}

/** Of a key that may not be one, zod says no more than that it is not valid; why stands inside. */
function problemOf(issue: z.core.$ZodIssue): string {
  return (issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined) ?? issue.message;
}

const SHAPE = z.toJSONSchema(submitSchema, { io: 'input', unrepresentable: 'any' }) as JsonShape;

interface JsonShape {
  properties?: Record<string, JsonShape>;
  anyOf?: JsonShape[];
}

/** The alternative of a nullable schema that lists properties, if there is one. */
function objectShape(shape: JsonShape): Record<string, JsonShape> | undefined {
  return shape.properties ?? shape.anyOf?.map(objectShape).find((p) => p !== undefined);
}

/** Those of the tasks that follow it, too. */
function unknownInChain(body: unknown, prefix = ''): string[] {
  const next = (body as { policy?: { on_end?: { submit: unknown }[] | null } | null }).policy?.on_end ?? [];
  return [
    ...unknownFields(body, SHAPE, prefix),
    ...next.flatMap(({ submit }, i) => unknownInChain(submit, `${prefix}policy.on_end.${i}.submit.`)),
  ];
}

function unknownFields(body: unknown, shape: JsonShape = SHAPE, prefix = ''): string[] {
  const known = objectShape(shape);
  if (known === undefined || typeof body !== 'object' || body === null || Array.isArray(body)) return [];
  return Object.entries(body).flatMap(([key, value]) => {
    const inner = Object.hasOwn(known, key) ? known[key] : undefined;
    return inner === undefined ? [`${prefix}${key}`] : unknownFields(value, inner, `${prefix}${key}.`);
  });
}
