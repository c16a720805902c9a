import type { HostCapabilities } from '../task/capabilities.js';
import { ExecgoError } from '../task/errors.js';
import type { ExecutionPlan, PlannedTask, SandboxView } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import { enforceLimits, reservationOf } from './plan-limits.js';
import { why, type Notes, type PlanDefaults } from './plan-notes.js';
import { whyNotAllowed } from './namespaces/rootfs.js';
import { DEFAULT_NAMESPACES, NAMESPACE_KINDS, NO_NAMESPACES } from './namespaces/namespaces.js';

export type { PlanDefaults };

/** What a plan is made from. */
export interface PlannedPart extends Pick<TaskRequest, 'limits' | 'sandbox'> {
  execution: Pick<TaskRequest['execution'], 'kind' | 'interpreter'>;
  policy: Pick<TaskRequest['policy'], 'capability_mode'>;
  control_context?: Pick<NonNullable<TaskRequest['control_context']>, 'requires_strict_sandbox'> | undefined;
}

/** Requests with the same text have the same plan. */
export function plannedText({ limits, sandbox, execution, policy, control_context }: PlannedPart): string {
  const { kind, interpreter } = execution;
  const part: PlannedPart = {
    ...{ limits, sandbox, execution: { kind, interpreter } },
    policy: { capability_mode: policy.capability_mode },
    control_context: control_context && { requires_strict_sandbox: control_context.requires_strict_sandbox },
  };
  return JSON.stringify(part);
}

/**
 * Decides once what of a request this host will enforce, and what the task reserves. Pure.
 *
 * Under `strict` (or `requires_strict_sandbox`) everything requested is enforced in full, or the request is refused.
 * Under `adaptive` each thing that is not gets its reason in `fallback_reasons`.
 * @throws ExecgoError `unsupported_capability`; in either mode also when a task user is configured that the daemon
 * cannot switch to, because running as somebody else is never a fallback. `permission_denied` for a root file system that
 * is not allowed
 */
export function resolvePlan(
  request: PlannedPart,
  caps: HostCapabilities,
  defaults: PlanDefaults,
): PlannedTask {
  const strict = request.control_context?.requires_strict_sandbox === true;
  const mode = strict ? 'strict' : (request.policy.capability_mode ?? defaults.capabilityMode);
  if (defaults.taskUser !== undefined && !caps.switch_user)
    throw unsupported([`tasks cannot run as user ${defaults.taskUser}${why(caps, 'switch_user')}`]);
  const notes: Notes = { fallbacks: [], warnings: [] };
  const requested = requestedSandbox(request);
  const effective = effectiveSandbox(requested, caps, defaults, notes);
  if (effective.chroot) refuseForeignRoot(effective.rootfs ?? '', defaults.allowRootfs ?? []);
  // Requested isolation is never dropped silently, and what cannot run in it is refused.
  if (effective.chroot && request.execution.interpreter !== undefined && request.execution.kind === 'script')
    throw unsupported([
      'a script with an interpreter cannot run in a chroot, because its file lies outside: leave the interpreter out, or give the text to a command as an argument',
    ]);
  const enforcement = enforceLimits(request, caps, defaults, notes);
  if (mode === 'strict' && notes.fallbacks.length > 0) throw unsupported(notes.fallbacks);
  const plan: ExecutionPlan = {
    capability_mode: mode,
    requested_sandbox: requested,
    effective_sandbox: effective,
    resource_enforcement: enforcement,
    degraded: notes.fallbacks.length > 0,
    ...(notes.fallbacks.length === 0 ? {} : { fallback_reasons: notes.fallbacks }),
    ...(notes.warnings.length === 0 ? {} : { capability_warnings: notes.warnings }),
  };
  return { plan, reservation: reservationOf(request) };
}

/** A request that names its own root file system decides which programs run and what all paths mean. */
function refuseForeignRoot(rootfs: string, allowed: readonly string[]): void {
  const refused = whyNotAllowed(rootfs, allowed);
  if (refused !== undefined)
    throw new ExecgoError(
      'permission_denied',
      `permission denied: sandbox.rootfs ${JSON.stringify(rootfs)}: ${refused}`,
    );
}

function requestedSandbox({ sandbox }: PlannedPart): SandboxView {
  const { profile, workspace_subdir, rootfs, chroot } = sandbox;
  const namespaces =
    sandbox.namespaces ?? (profile === 'linux_sandbox' ? { ...DEFAULT_NAMESPACES } : undefined);
  return {
    profile,
    ...(workspace_subdir === undefined ? {} : { workspace_subdir }),
    ...(rootfs === undefined ? {} : { rootfs }),
    chroot,
    ...(namespaces === undefined ? {} : { namespaces }),
  };
}

function effectiveSandbox(
  requested: SandboxView,
  caps: HostCapabilities,
  defaults: PlanDefaults,
  notes: Notes,
): SandboxView {
  const { namespaces, ...rest } = requested;
  const user = defaults.taskUser === undefined ? {} : { user: defaults.taskUser };
  if (requested.rootfs !== undefined && !requested.chroot)
    notes.warnings.push('sandbox.rootfs has no effect without sandbox.chroot');
  if (requested.profile === 'process') {
    if (namespaces !== undefined)
      notes.warnings.push('sandbox.namespaces has no effect with profile "process"');
    return { ...rest, ...user };
  }
  if (!caps.linux_sandbox) {
    notes.fallbacks.push(
      `linux_sandbox is not available${why(caps, 'linux_sandbox')}: runs with profile "process"`,
    );
    if (requested.chroot) notes.fallbacks.push(`chroot is not available${why(caps, 'chroot')}`);
    return { ...rest, profile: 'process', chroot: false, ...user };
  }
  const chroot = effectiveChroot(requested, caps, notes);
  return { ...rest, chroot, ...effectiveNamespaces(requested, caps, notes), ...user };
}

function effectiveChroot(requested: SandboxView, caps: HostCapabilities, notes: Notes): boolean {
  if (!requested.chroot) return false;
  if (!caps.chroot) {
    notes.fallbacks.push(`chroot is not available${why(caps, 'chroot')}: runs in the host's file system`);
    return false;
  }
  notes.warnings.push(
    'in a chroot neither the workspace nor the task socket is visible, and the working directory is execution.cwd of the root file system, or "/"',
  );
  return true;
}

function effectiveNamespaces(requested: SandboxView, caps: HostCapabilities, notes: Notes) {
  const wanted = requested.namespaces ?? NO_NAMESPACES;
  const namespaces = { ...NO_NAMESPACES };
  for (const kind of NAMESPACE_KINDS) {
    if (!wanted[kind]) continue;
    namespaces[kind] = caps.namespaces[kind];
    if (!caps.namespaces[kind])
      notes.fallbacks.push(`${kind} namespace is not available${why(caps, `namespace_${kind}`)}`);
  }
  if (!NAMESPACE_KINDS.some((kind) => namespaces[kind])) return { namespaces };
  // A pid namespace needs a /proc of its own, and bubblewrap always makes a mount namespace.
  if (namespaces.pid || caps.bubblewrap) namespaces.mount = true;
  if (caps.bubblewrap && namespaces.pid)
    notes.warnings.push('bubblewrap reports an end by signal n as exit code 128 + n');
  return { namespaces, mechanism: caps.bubblewrap ? ('bubblewrap' as const) : ('unshare' as const) };
}

function unsupported(reasons: string[]): ExecgoError {
  return new ExecgoError('unsupported_capability', `unsupported capability: ${reasons.join('; ')}`, reasons);
}
