import { z } from 'zod';
import { MECHANISMS, SCOPES } from '../sandbox/limits/limit.js';
import { LIMITS, type LimitPlan } from '../sandbox/limits/limits.js';
import { CAPABILITY_MODES, SANDBOX_PROFILES } from './request.js';
import { RESOURCE_KEYS } from './resources.js';
import { count, namedFields, sentences } from './schema.js';

/** What a task reserves, or a place has: see `resources.ts`. */
export const Resources = z.strictObject({
  ...namedFields(RESOURCE_KEYS, count.optional()),
  task_slots: count,
  resources: z
    .record(z.string(), count)
    .optional()
    .describe('Resources that the operator has named; absent where there are none'),
});

/** What a task has for itself of named resources, by their names. */
export const ResourceItems = z.record(z.string(), z.array(z.string()));

export const Namespaces = z.strictObject({
  mount: z.boolean(),
  pid: z.boolean(),
  uts: z.boolean(),
  ipc: z.boolean(),
  net: z.boolean(),
});
export type Namespaces = z.output<typeof Namespaces>;

/** A sandbox as requested, or as it will really be. */
export const SandboxView = z.strictObject({
  profile: z.enum(SANDBOX_PROFILES),
  workspace_subdir: z.string().optional(),
  rootfs: z.string().optional(),
  chroot: z.boolean(),
  namespaces: Namespaces.optional(),
  mechanism: z
    .enum(['unshare', 'bubblewrap'])
    .optional()
    .describe('What sets the namespaces up; absent when there are none'),
  user: z.string().optional().describe('The user the task runs as, when the daemon switches users'),
});
export type SandboxView = z.output<typeof SandboxView>;

const names = LIMITS.map(({ name }) => name);
const told = LIMITS.map(({ plan }) => plan);
const about = <S extends string>(suffix: S) => told.map((plan): `${LimitPlan}_${S}` => `${plan}_${suffix}`);

/** What holds of each limit, and by what mechanism: of those that the request names, and of some that it does not. */
export const ResourceEnforcement = z.strictObject({
  // Not whole numbers within bounds: the plans of an old database hold what was asked for then.
  ...namedFields(names, z.number().optional()),
  ...namedFields(about('mechanism'), z.enum(MECHANISMS).optional()),
  ...namedFields(about('enforced'), z.boolean().optional()),
  ...namedFields(about('scope'), z.enum(SCOPES).optional()),
  wall_time_ms: count.describe('0: as long as it takes, and no mechanism'),
  wall_time_source: z
    .enum(['request', 'default'])
    .optional()
    .describe('Who set the wall time; absent in plans of earlier versions'),
  cpu_time_enforced: z.boolean(),
  memory_enforced: z.boolean(),
  pids_enforced: z.boolean(),
  cgroup_enforced: z.boolean(),
  oom_detection: z.boolean(),
});
export type ResourceEnforcement = z.output<typeof ResourceEnforcement>;

/** Requested against enforced, decided at submit or start and kept for audit. */
export const ExecutionPlan = z.strictObject({
  capability_mode: z.enum(CAPABILITY_MODES),
  requested_sandbox: SandboxView,
  effective_sandbox: SandboxView,
  resource_enforcement: ResourceEnforcement,
  degraded: z.boolean(),
  fallback_reasons: sentences.optional().describe('What was given up, and why'),
  capability_warnings: sentences.optional(),
});
export type ExecutionPlan = z.output<typeof ExecutionPlan>;

/** A plan and the share of the ledger that goes with it. */
export const PlannedTask = z.strictObject({ plan: ExecutionPlan, reservation: Resources });
export type PlannedTask = z.output<typeof PlannedTask>;
