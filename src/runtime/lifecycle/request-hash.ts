import type { RequestHash } from '../../store/records.js';
import type { TaskSubmission } from '../../task/request.js';
import { canonicalHash } from './canonical-json.js';

/**
 * The hash that tells whether two requests with the same idempotency key are the same. It is made of the body as it was
 * sent, without defaults, so that a default that changes in a new version does not turn a replay into a conflict. The order
 * of keys does not matter, nor does it whether a field is `null` or absent, which mean the same.
 * @param sent a body that was found valid
 */
export function requestHash(sent: unknown): RequestHash {
  return {
    sent: `sent:${canonicalHash(sent)}`,
    older: () => canonicalHash(filledUp(sent as TaskSubmission)),
  };
}

/**
 * A request with the defaults of the versions whose keys have a hash of that. It must never change, even if the schema does,
 * and can be removed once the last of those keys has expired.
 */
function filledUp(sent: TaskSubmission): object {
  const { execution, control_context: context } = sent;
  const limits = sent.limits ?? {};
  const sandbox = sent.sandbox ?? {};
  const policy = sent.policy ?? {};
  return {
    task_id: sent.task_id,
    execution: {
      kind: execution.kind,
      program: execution.program,
      args: execution.args ?? [],
      script: execution.script,
      interpreter: execution.interpreter,
      env: execution.env ?? {},
    },
    limits: {
      wall_time_ms: limits.wall_time_ms ?? 300_000,
      cpu_time_sec: limits.cpu_time_sec,
      cpu_millis: limits.cpu_millis,
      memory_bytes: limits.memory_bytes,
      pids_max: limits.pids_max,
      stdout_max_bytes: limits.stdout_max_bytes ?? 4_194_304,
      stderr_max_bytes: limits.stderr_max_bytes ?? 4_194_304,
      queue_timeout_ms: limits.queue_timeout_ms,
    },
    sandbox: {
      profile: sandbox.profile ?? 'process',
      workspace_subdir: sandbox.workspace_subdir,
      rootfs: sandbox.rootfs,
      chroot: sandbox.chroot ?? false,
      namespaces: sandbox.namespaces && {
        mount: sandbox.namespaces.mount ?? true,
        pid: sandbox.namespaces.pid ?? true,
        uts: sandbox.namespaces.uts ?? true,
        ipc: sandbox.namespaces.ipc ?? true,
        net: sandbox.namespaces.net ?? false,
      },
    },
    policy: {
      capability_mode: policy.capability_mode,
      priority: policy.priority ?? 0,
      demands: policy.demands && {
        hostname: policy.demands.hostname,
        profile: policy.demands.profile,
        tags: policy.demands.tags,
      },
    },
    control_context: context && {
      control_plane_mode: context.control_plane_mode,
      tenant: context.tenant,
      owner: context.owner,
      expected_runtime_profile: context.expected_runtime_profile,
      requires_strict_sandbox: context.requires_strict_sandbox ?? false,
      requires_resource_reservation: context.requires_resource_reservation ?? false,
      labels: context.labels ?? {},
      idempotency_key: context.idempotency_key,
      queue: context.queue ?? 'default',
      lane: context.lane,
      session_id: context.session_id,
    },
    metadata: sent.metadata ?? {},
  };
}
