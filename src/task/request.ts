import { z } from 'zod';
import type { Limit } from '../sandbox/limits/limit.js';
import { LIMITS, type LimitName } from '../sandbox/limits/limits.js';
import { afterSchema, batchAfterSchema, refName } from './dependencies.js';
import { hasNoField, optional, orElse, positive, section, wholeNumber } from './fields.js';
import { isTaskId, PATH_NAMES_MAX } from './ids.js';
import { isResourceName, NAME_RULE } from './named-resource.js';
import { endWords, groupNotifySchema, notifySchema } from './notify-schema.js';
import { CHAIN_MAX, chainLength, FOLLOW_UPS_MAX, type FollowUpBody } from './on-end.js';
import { retrySchema } from './retry-schema.js';

/** A default that existing clients rely on, in bytes. */
const DEFAULT_OUTPUT_MAX_BYTES = 4_194_304;
const DEFAULT_QUEUE = 'default';
export const SANDBOX_PROFILES = ['process', 'linux_sandbox'] as const;
export const CAPABILITY_MODES = ['adaptive', 'strict'] as const;

const notBlank = (s: string) => s.trim() !== '';

/** Adds what is wrong with a field, which is named by its path. */
const issues = (ctx: z.RefinementCtx) => (path: string, message: string) => {
  ctx.addIssue({ code: 'custom', path: path.split('.'), message });
};

export const text = z
  .string()
  .refine((s) => !s.includes('\0'), 'must not contain a NUL byte')
  // Without the u flag: halves are looked for, not characters.
  .refine(
    (s) => !/(?<![\ud800-\udbff])[\udc00-\udfff]|[\ud800-\udbff](?![\udc00-\udfff])/.test(s),
    'must be well-formed Unicode: half of a surrogate pair stands alone',
  );
const name = text.refine(notBlank, 'must not be empty');
/** In bytes: also with each of them written as `%xx` it goes into the first line of a request. */
const QUEUE_NAME_BYTES = 1024;
/** A name of a queue, or of a lane of one. */
export const queueName = name.refine(
  (s) => Buffer.byteLength(s) <= QUEUE_NAME_BYTES,
  'must have at most 1,024 bytes',
);
export const variableName = text.refine(
  (k) => notBlank(k) && !k.includes('='),
  'keys must be non-empty and without "="',
);
const stringMap = (key: z.ZodType<string, string>) => z.record(key, text);

/** What a file system takes: 255 bytes a name, and in all what leaves room for what stands before it. */
const fitsFileSystem = (bytes: number) => (p: string) =>
  Buffer.byteLength(p) <= bytes && p.split('/').every((part) => Buffer.byteLength(part) <= 255);
/** Linux's PATH_MAX without the NUL. */
const PATH_BYTES = 4095;
/** Leaves room for the data directory. */
const SUBDIR_BYTES = 1024;

const executionSchema = z
  .object({
    kind: z.enum(['command', 'script']),
    program: optional(text),
    args: orElse(z.array(text), () => []),
    script: optional(text),
    interpreter: optional(z.array(text)),
    cwd: optional(
      text
        .refine((p) => p.startsWith('/'), 'must be an absolute path')
        .refine(fitsFileSystem(PATH_BYTES), 'must have at most 255 bytes a part and 4,095 in all'),
    ).describe('The absolute directory that it starts in; without it an empty one of its own'),
    env: orElse(stringMap(variableName), () => ({})),
  })
  .superRefine((e, ctx) => {
    const issue = issues(ctx);
    const program = notBlank(e.program ?? '');
    const script = notBlank(e.script ?? '');
    if (e.kind === 'command') {
      if (!program) issue('program', 'is required for kind "command"');
      if (script) issue('script', 'must be empty for kind "command"');
    } else {
      if (!script) issue('script', 'is required for kind "script"');
      if (program) issue('program', 'must be empty for kind "script"');
    }
    if (e.interpreter !== undefined && !notBlank(e.interpreter[0] ?? ''))
      issue('interpreter', 'must have a non-empty first item');
  });

function limitField({ request: { range, describe } }: Limit) {
  const value = range === undefined ? positive : wholeNumber.min(range.min, range.rule);
  const field = optional(range?.max === undefined ? value : value.max(range.max, range.rule));
  return describe === undefined ? field : field.describe(describe);
}

const runLimits = Object.fromEntries(LIMITS.map((limit) => [limit.name, limitField(limit)])) as Record<
  LimitName,
  ReturnType<typeof limitField>
>;

/** How many named resources a request may ask for. */
const RESOURCES_MAX = 64;
const resourceKey = text.refine(isResourceName, NAME_RULE);
const FEW_RESOURCES = `must have at most ${RESOURCES_MAX} resources`;
const few = (amounts: object) => Object.keys(amounts).length <= RESOURCES_MAX;

const namedResources = optional(z.record(resourceKey, positive).refine(few, FEW_RESOURCES)).describe(
  'How much it needs of each resource that the operator has named',
);
/** As it may stand in an edit: `null` takes one away. */
export const resourcesEdit = z
  .record(resourceKey, positive.nullable())
  .refine(few, FEW_RESOURCES)
  .nullish()
  .describe('How much it needs of each resource that the operator has named; null: none');

const shownBytes = orElse(positive, () => DEFAULT_OUTPUT_MAX_BYTES);

const limitsSchema = z.object({
  ...runLimits,
  resources: namedResources,
  stdout_max_bytes: shownBytes.describe('How much of it a status shows from the start'),
  stderr_max_bytes: shownBytes,
  stdout_keep_bytes: optional(positive).describe(
    'What is kept on disk from the start. Without it the daemon decides, by default 64 MiB, and never less than stdout_max_bytes',
  ),
  stderr_keep_bytes: optional(positive),
  queue_timeout_ms: optional(positive),
});

/** What a queue gives to tasks that name no limits of their own. */
export const defaultLimitsSchema = z.strictObject({
  ...runLimits,
  resources: namedResources,
  stdout_max_bytes: optional(positive),
  stderr_max_bytes: optional(positive),
  stdout_keep_bytes: optional(positive),
  stderr_keep_bytes: optional(positive),
  queue_timeout_ms: optional(positive),
});

export const flag = (fallback: boolean) => orElse(z.boolean(), () => fallback);

const namespacesSchema = z.object({
  mount: flag(true),
  pid: flag(true),
  uts: flag(true),
  ipc: flag(true),
  net: flag(false),
});

const fewNames = (p: string) =>
  p.split('/').filter((part) => part !== '' && part !== '.').length <= PATH_NAMES_MAX;
const relativeInside = (p: string) => !p.startsWith('/') && !p.split('/').includes('..');

const sandboxSchema = z
  .object({
    profile: orElse(z.enum(SANDBOX_PROFILES), () => 'process' as const),
    workspace_subdir: optional(
      name
        .refine(relativeInside, 'must be relative and without ".."')
        .refine(fitsFileSystem(SUBDIR_BYTES), 'must have at most 255 bytes a part and 1,024 in all')
        .refine(fewNames, `must have at most ${PATH_NAMES_MAX} parts`),
    ),
    rootfs: optional(name),
    chroot: flag(false),
    namespaces: optional(namespacesSchema),
  })
  .superRefine((s, ctx) => {
    const issue = issues(ctx);
    if (!s.chroot) return;
    if (s.rootfs === undefined) issue('rootfs', 'is required when chroot is true');
    if (s.profile !== 'linux_sandbox') issue('profile', 'must be "linux_sandbox" when chroot is true');
  });

/** Of a task within its queue, or of a queue: the higher one comes first. */
export const priority = orElse(
  z.number().int('must be a whole number').min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER),
  () => 0,
);

/** What the machine must be on which a task runs. */
export const demandsSchema = z.object({
  hostname: optional(name),
  profile: optional(name),
  tags: optional(z.array(name)),
});

/** A moment, in UTC whatever zone it was given in. */
const instant = z.iso
  .datetime({ offset: true, error: 'must be a time with its zone, such as 2027-03-01T18:00:00Z' })
  .transform((s) => new Date(s).toISOString());
/** Kept as it was sent: what it leaves open is decided when it is submitted. */
const followUpBody: z.ZodType<FollowUpBody, FollowUpBody> = z
  .record(z.string(), z.unknown())
  .superRefine((body, ctx) => {
    if (chainLength(body) > CHAIN_MAX) {
      ctx.addIssue({
        code: 'custom',
        message: `must be followed by at most ${CHAIN_MAX - 1} others, one after another`,
      });
      return;
    }
    for (const { path, message } of submitSchema.safeParse(body).error?.issues ?? [])
      ctx.addIssue({ code: 'custom', path: [...path], message });
  })
  .meta({ description: 'A submit body', allOf: [{ $ref: '#/components/schemas/TaskSubmission' }] });

const onEndSchema = z
  .array(z.strictObject({ when: endWords, submit: followUpBody }, hasNoField))
  .max(FOLLOW_UPS_MAX, `must have at most ${FOLLOW_UPS_MAX} entries`);

/** What becomes of a task that comes while as many with its key run as it allows. */
export const ON_CONFLICT = ['wait', 'replace_waiting', 'cancel_running', 'reject'] as const;

const concurrencySchema = z.strictObject({
  key: queueName.describe('A name that tasks of the same tenant share'),
  limit: orElse(positive, () => 1).describe('How many of them may run at once; 1 by default'),
  on_conflict: orElse(z.enum(ON_CONFLICT), () => 'wait' as const).describe(
    'wait, by default; replace_waiting: older ones that wait are cancelled; cancel_running: so are as many of those that run as are too many; reject: it is refused with concurrency_conflict',
  ),
});

const policySchema = z.object({
  capability_mode: optional(z.enum(CAPABILITY_MODES)),
  priority,
  start_at: optional(instant).describe(
    'It does not start before this time, and waits with `start_at` until then',
  ),
  hold: optional(z.boolean()).describe('It does not start until it is released'),
  demands: optional(demandsSchema).describe(
    'What this machine must be. The task waits until limits.queue_timeout_ms for one that is, or is refused where there is none',
  ),
  retry: optional(retrySchema).describe('When it is tried again after an attempt that failed'),
  on_end: optional(onEndSchema).describe('What is submitted when it has ended, each exactly once'),
  notify: optional(notifySchema).describe('Who is told when it has ended'),
  max_failures: optional(positive).describe(
    'When so many tasks of its group have failed, the rest of it is killed; the last task that says it counts',
  ),
  group_notify: optional(groupNotifySchema).describe(
    'Who is told when the last task of its group has ended; the last task that says it counts',
  ),
  concurrency: optional(concurrencySchema).describe(
    'How many tasks with the same key and tenant may run beside each other, and what becomes of one too many',
  ),
  after: optional(afterSchema).describe(
    'It starts when all of these hold; when one cannot hold any more it ends as cancelled, with cause dependency',
  ),
});

const controlContextSchema = z.object({
  control_plane_mode: optional(name).describe('Kept only'),
  tenant: optional(name),
  // eslint-disable-next-line no-control-regex -- controls are what is looked for
  owner: optional(name.refine((s) => !/[\u0000-\u001f\u007f]/.test(s), 'must hold no control characters')),
  expected_runtime_profile: optional(name).describe(
    'Kept only: not checked before the task starts; policy.demands.profile is a condition',
  ),
  requires_strict_sandbox: flag(false),
  requires_resource_reservation: flag(false).describe('Always so: every task reserves what its limits name'),
  labels: orElse(stringMap(variableName), () => ({})),
  idempotency_key: optional(name),
  queue: orElse(queueName, () => DEFAULT_QUEUE).describe(
    'Where it waits: tenants and their queues share room evenly, and a queue may have a rule',
  ),
  group: optional(queueName).describe('Tasks of a tenant that are counted, waited for and ended together'),
  lane: optional(queueName).describe('A part of its queue, which may have a bound of its own'),
  session_id: optional(name).describe(
    'The session whose workspace it shares: tasks of one run in their order, one at a time if the session does not say more',
  ),
  parent_task_id: optional(name).describe(
    'The task of the same tenant whose child this is: it can be shown and killed with it',
  ),
});

/** The parts of a submit body, by their names in the specification. */
export const submissionParts = {
  Execution: executionSchema,
  Limits: limitsSchema,
  Sandbox: sandboxSchema,
  Policy: policySchema,
  ControlContext: controlContextSchema,
};

const submission = z.object({
  task_id: optional(
    z.string().refine(isTaskId, 'must be 1 to 128 letters, digits, "-", "_" or ".", and not "." or ".."'),
  ),
  execution: executionSchema,
  limits: section(limitsSchema),
  sandbox: section(sandboxSchema),
  policy: section(policySchema),
  control_context: optional(controlContextSchema),
  metadata: orElse(z.record(z.string(), z.string()), () => ({})),
});

/** A submit body. Unknown fields pass, and are named in `warnings` (see `validate.ts`). */
export const submitSchema = submission.superRefine(
  ({ execution, sandbox, policy, control_context: context }, ctx) => {
    if (policy.max_failures !== undefined && context?.group === undefined)
      issues(ctx)('policy.max_failures', 'goes with control_context.group, whose tasks it counts');
    if (policy.group_notify !== undefined && context?.group === undefined)
      issues(ctx)('policy.group_notify', 'goes with control_context.group, of which it tells');
    if (execution.cwd !== undefined && sandbox.workspace_subdir !== undefined)
      issues(ctx)(
        'execution.cwd',
        'cannot be given together with sandbox.workspace_subdir: a task starts in one directory',
      );
  },
);

/** An item of a batch as it is sent. */
export const batchSchema = submission.extend({
  ref: optional(refName),
  policy: section(policySchema.extend({ after: optional(batchAfterSchema) })),
});

/** A request as validated: defaults filled in, `null` gone, unknown fields gone. */
export type TaskRequest = z.output<typeof submitSchema> & {
  /** Decided as it is accepted: it shares the workspace of the session that it names. No client can say so. */
  in_session?: true | undefined;
};
/** What a client may send. */
export type TaskSubmission = z.input<typeof submitSchema>;
/** What a client may send as an item of a batch. */
export type BatchSubmission = z.input<typeof batchSchema>;
export type Execution = TaskRequest['execution'];
export type CapabilityMode = (typeof CAPABILITY_MODES)[number];

/** The queue that a task waits in. */
export function queueOf({ control_context: context }: Pick<TaskRequest, 'control_context'>): string {
  return context?.queue ?? DEFAULT_QUEUE;
}
