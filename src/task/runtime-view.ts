import { z } from 'zod';
import { LIMIT_CAPABILITIES } from '../sandbox/limits/limits.js';
import { GC_IDS_MAX } from './gc.js';
import { Namespaces, ResourceItems, Resources } from './plan.js';
import { CAPABILITY_MODES } from './request.js';
import { count, namedFields, sentences, texts, time } from './schema.js';
import { TASK_STATUSES } from './states.js';

export const Platform = z.strictObject({
  os: z.string().describe('linux, macos, … as the older runtime named them'),
  arch: z.string().describe('x86_64, aarch64, …'),
  containerized: z.boolean(),
  kubernetes: z.boolean(),
});
export type Platform = z.output<typeof Platform>;

/** Who this daemon is. */
export const RuntimeInfo = z.strictObject({
  runtime_id: z.string(),
  version: z.string(),
  started_at: time,
  snapshot_version: z.literal('v1'),
  platform: Platform,
});
export type RuntimeInfo = z.output<typeof RuntimeInfo>;

/** What this host was seen to be able to do when the daemon started. */
export const Capabilities = z.strictObject({
  runtime_id: z.string(),
  snapshot_version: z.literal('v1'),
  collected_at: time,
  platform: Platform,
  execution: z.strictObject({
    command: z.boolean(),
    script: z.boolean(),
    process_group: z.boolean(),
    launcher: z.enum(['libc', 'execa']),
  }),
  sandbox: z.strictObject({
    process: z.boolean(),
    linux_sandbox: z.boolean(),
    chroot: z.boolean(),
    namespaces: Namespaces,
    bubblewrap: z.boolean(),
    switch_user: z.boolean(),
  }),
  storage: z.strictObject({ data_dir_writable: z.boolean() }),
  resources: z.strictObject({
    ...namedFields(LIMIT_CAPABILITIES, z.boolean()),
    cgroup: z.enum(['v2', 'v1', 'hybrid', 'none']),
    cgroup_v2: z.boolean(),
    cgroup_writable: z.boolean(),
    cgroup_tracking: z.boolean(),
    cgroup_freezer: z.boolean(),
    oom_detection: z.boolean(),
    ledger: z.boolean(),
    capacity: Resources,
  }),
  stable_semantics: z.array(z.string()),
  enhanced_semantics: z.array(z.string()),
  reasons: texts.describe('Why a capability is missing, by its name'),
  warnings: sentences.optional(),
  degraded: z.boolean(),
  overrides: texts.optional().describe('What the operator set against what was detected'),
});
export type Capabilities = z.output<typeof Capabilities>;

/** What an operator says there is of a named resource. */
const NamedResource = z.strictObject({
  amount: z.int().min(1),
  items: z
    .array(z.string())
    .optional()
    .describe('Each by its name, of which a task gets its own; absent where it is only counted'),
  variables: z.array(z.string()).describe('Further variables in which a task finds its own'),
});

/** What existing clients read of the settings, and every other one under its name: a text, a number, a switch or a list. */
export const RuntimeConfig = z
  .object({
    runtime_id: z.string(),
    listen_addr: z.string(),
    data_dir: z.string(),
    max_running_tasks: count,
    max_queued_tasks: count,
    termination_grace_ms: count,
    result_retention_secs: count,
    gc_interval_ms: count,
    dispatch_poll_interval_ms: count,
    cgroup_root: z.string(),
    cgroup_enabled: z.boolean(),
    default_capability_mode: z.enum(CAPABILITY_MODES),
    tenant_quotas: z.record(z.string(), Resources),
    resources: z.record(z.string(), NamedResource),
  })
  .catchall(z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]));
export type RuntimeConfig = z.output<typeof RuntimeConfig>;

/** What this machine has, what is reserved, and for whom. */
export const RuntimeResources = z.strictObject({
  runtime_id: z.string(),
  capacity: Resources,
  reserved: Resources,
  available: Resources,
  active_reservations: z.array(
    z.strictObject({
      task_id: z.string(),
      tenant: z.string().optional(),
      queue: z.string(),
      lane: z.string().optional(),
      concurrency_key: z.string().optional(),
      status: z.enum(TASK_STATUSES),
      reservation: Resources,
      items: ResourceItems.optional().describe(
        'What it has for itself of named resources; absent where it has nothing',
      ),
      reserved_at: time,
    }),
  ),
  accepted_waiting_tasks: count,
  tenants: z.array(
    z.strictObject({
      tenant: z.string(),
      quota: Resources.optional().describe('As available, absent for a tenant without quota'),
      reserved: Resources,
      available: Resources.optional(),
    }),
  ),
});
export type RuntimeResources = z.output<typeof RuntimeResources>;

/** How one part of the daemon is. @public in the specification */
export const PartHealth = z.strictObject({
  ok: z.boolean(),
  detail: z.string().describe('How it is, in words'),
});

/** What must be well for the daemon to be ready. */
export const Readiness = z.strictObject({
  accepting: PartHealth.describe('It is not stopping'),
  store: z.strictObject({
    ...PartHealth.shape,
    migration: count.describe('The last change of the schema of the database'),
  }),
  supervisor: PartHealth,
  disk: z.strictObject({ ...PartHealth.shape, free_bytes: count.optional() }),
});
export type Readiness = z.output<typeof Readiness>;

export const Health = z.strictObject({
  status: z.enum(['ok', 'ready']),
  version: z.string(),
  parts: Readiness.optional().describe('How each part is; /readyz only'),
});

export const Welcome = z.strictObject({ name: z.literal('execgo'), version: z.string(), links: texts });

/** What a collection of garbage removed, or would remove. */
export const GcReport = z.strictObject({
  dry_run: z.boolean(),
  candidates: count.describe('Tasks that were due'),
  removed: count.describe('Tasks that are gone; 0 for a dry run'),
  bytes_freed: count.describe('Disk space that was given back, or would be, in bytes'),
  tasks: z.array(z.string()).describe(`Ids of the candidates, the first ${GC_IDS_MAX}`),
  skipped_pinned: count.describe('Tasks that are old enough and stay because they are pinned'),
  problems: sentences.describe(`What could not be removed, and why; the first ${GC_IDS_MAX}`),
  duration_ms: count,
});
export type GcReport = z.output<typeof GcReport>;
