import { z } from 'zod';
import { mergePatch } from './merge-patch.js';
import {
  demandsSchema,
  queueOf,
  resourcesEdit,
  submissionParts,
  text,
  variableName,
  type TaskRequest,
} from './request.js';
import type { DefaultLimits } from './queues.js';
import { count } from './schema.js';
import { checkShape } from './shape.js';
import { invalidInputFrom, validateSubmission } from './validate.js';

const { Limits, Policy, ControlContext } = submissionParts;

/** What a status shows by itself is changed at its place in the request. */
const PLACES = new Map([
  ...['priority', 'start_at', 'hold', 'demands', 'after'].map((field): [string, string] => [
    field,
    `policy.${field}`,
  ]),
  ...['queue', 'lane', 'labels'].map((field): [string, string] => [field, `control_context.${field}`]),
]);

const refusing = (places: ReadonlyMap<string, string>) => ({
  error: ({ code, keys: [field = ''] = [] }: { code?: string | undefined; keys?: string[] }) => {
    if (code !== 'unrecognized_keys') return undefined;
    const place = places.get(field);
    if (place !== undefined) return `${JSON.stringify(field)} is changed as ${place}`;
    return `${JSON.stringify(field)} is not among what can be changed of a task that waits`;
  },
});

const part = <T extends z.core.$ZodLooseShape>(shape: T, places: ReadonlyMap<string, string> = new Map()) =>
  z.strictObject(shape, refusing(places));
const { priority, start_at, hold, after } = Policy.shape;
const { queue, lane } = ControlContext.shape;

/**
 * What may be changed of a task while it waits: a JSON Merge Patch (RFC 7396) of its request. What is absent stays, and `null`
 * stands for what holds where a request does not say.
 */
export const editSchema = part(
  {
    if_version: count.nullish().describe('Change it only if the task has this version'),
    limits: part({ ...Limits.shape, resources: resourcesEdit }).nullish(),
    policy: part({
      priority,
      start_at,
      hold,
      demands: part(demandsSchema.shape).nullish().describe('What this machine must be'),
      after: after.describe('In the place of all that it waits for'),
    }).optional(),
    control_context: part({
      queue,
      lane,
      labels: z.record(variableName, text.nullable()).nullish(),
    }).optional(),
    metadata: z.record(z.string(), z.string().nullable()).nullish(),
  },
  PLACES,
);

/** What a client may send. */
export type TaskEdit = z.input<typeof editSchema>;

/** A body that was found valid. */
export interface ValidatedEdit {
  if_version: number | undefined;
  /** A merge patch of a request. */
  patch: Omit<TaskEdit, 'if_version'>;
}

/** @throws ExecgoError `invalid_input`, naming the first wrong field; `details` lists all of them */
export function validateEdit(body: unknown): ValidatedEdit {
  checkShape(body);
  const parsed = editSchema.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  // The patch is what was sent: what a schema makes of an absent field must not take the place of what there is.
  const { if_version, ...patch } = body as TaskEdit;
  return { if_version: if_version ?? undefined, patch };
}

/**
 * The request with the changes of a patch.
 * @throws ExecgoError `invalid_input` when the whole breaks a rule, as by too many labels
 */
export function editedRequest(before: TaskRequest, patch: ValidatedEdit['patch']): TaskRequest {
  // The id was given long ago, maybe under older rules.
  const { task_id, in_session, ...rest } = before;
  const merged = mergePatch(rest, patch);
  return { ...validateSubmission(merged).request, task_id, in_session };
}

/** Of the limits that a queue gives to its tasks, those for which a patch takes back what the task had said. */
export function takenBack(defaults: DefaultLimits, { limits }: ValidatedEdit['patch']): DefaultLimits {
  const said = new Map<string, unknown>(Object.entries(limits ?? {}));
  return Object.fromEntries(
    Object.entries(defaults).filter(([name]) => limits === null || said.get(name) === null),
  );
}

/** The fields in which two requests differ, of those that an edit may change. */
export function changedFields(before: TaskRequest, after: TaskRequest): string[] {
  const [was, is] = [editableOf(before), editableOf(after)];
  return [...new Set([...was.keys(), ...is.keys()])].filter(
    (field) => JSON.stringify(was.get(field)) !== JSON.stringify(is.get(field)),
  );
}

function editableOf(request: TaskRequest): Map<string, unknown> {
  const { limits, policy, control_context: context, metadata } = request;
  return new Map<string, unknown>([
    ...Object.entries(limits).map(([name, value]): [string, unknown] => [`limits.${name}`, value]),
    ['policy.priority', policy.priority],
    ['policy.start_at', policy.start_at],
    ['policy.hold', policy.hold === true],
    ['policy.demands', policy.demands],
    ['policy.after', policy.after ?? []],
    ['control_context.queue', queueOf(request)],
    ['control_context.lane', context?.lane],
    ['control_context.labels', context?.labels ?? {}],
    ['metadata', metadata],
  ]);
}
