import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OldDatabase } from '../store/old-database.js';
import { tempDir } from '../harness/index.js';

/** What the older runtime was asked for. */
export interface OldRequest {
  execution?: object;
  limits?: object;
  sandbox?: { profile?: string; [field: string]: unknown };
  capability_mode?: 'adaptive' | 'strict';
  control_context?: object;
  /** Columns over those that it writes at submit. */
  row?: Record<string, string | number | bigint | Buffer | null>;
}

const AT = 1_700_000_000_000;
const LIMITS = { wall_time_ms: 300_000, stdout_max_bytes: 4_194_304, stderr_max_bytes: 4_194_304 };

export const shell = (text: string) => ({ kind: 'command', program: 'sh', args: ['-c', text], env: {} });

/** A data directory as the older runtime leaves it, with the rows, events and files that it writes at submit. */
export class OldDataDir {
  readonly path: string;
  readonly #db: OldDatabase;

  /** @param options of the database */
  constructor(options: ConstructorParameters<typeof OldDatabase>[1] = {}) {
    const base = tempDir();
    chmodSync(base, 0o711);
    this.path = join(base, 'data');
    mkdirSync(join(this.path, 'tasks'), { recursive: true, mode: 0o755 });
    this.#db = new OldDatabase(this.path, options);
  }

  /** @param files false for an id that can name no directory */
  add(id: string, request: OldRequest, files = true): void {
    const { execution = shell('true'), capability_mode = 'adaptive', control_context, row } = request;
    const limits: Record<string, unknown> = { ...LIMITS, ...request.limits };
    const sandbox = { profile: 'process', chroot: false, ...request.sandbox };
    const sandboxed = sandbox.profile === 'linux_sandbox';
    const plan = {
      capability_mode,
      requested_sandbox: sandbox,
      effective_sandbox: sandbox,
      resource_enforcement: {
        wall_time_ms: limits['wall_time_ms'],
        cpu_time_sec: limits['cpu_time_sec'],
        cpu_time_enforced: limits['cpu_time_sec'] !== undefined,
        memory_bytes: limits['memory_bytes'],
        memory_enforced: limits['memory_bytes'] !== undefined,
        pids_max: limits['pids_max'],
        pids_enforced: limits['pids_max'] !== undefined && sandboxed,
        cgroup_enforced: sandboxed,
        oom_detection: limits['memory_bytes'] !== undefined && sandboxed,
      },
      degraded: false,
    };
    const dir = `data/tasks/${id}`;
    this.#db.add(id, {
      status: 'accepted',
      execution_json: JSON.stringify(execution),
      limits_json: JSON.stringify(limits),
      sandbox_json: JSON.stringify(sandbox),
      metadata_json: '{}',
      created_at_ms: AT,
      updated_at_ms: AT,
      task_dir: dir,
      workspace_dir: `${dir}/workspace`,
      request_path: `${dir}/request.json`,
      result_path: `${dir}/result.json`,
      stdout_path: `${dir}/stdout.log`,
      stderr_path: `${dir}/stderr.log`,
      stdout_max_bytes: 4_194_304,
      stderr_max_bytes: 4_194_304,
      execution_plan_json: JSON.stringify(plan),
      control_context_json: control_context === undefined ? null : JSON.stringify(control_context),
      ...row,
    });
    for (const type of ['submitted', 'accepted', 'planned']) this.#db.event(id, type);
    if (!files) return;
    mkdirSync(join(this.path, 'tasks', id, 'workspace'), { recursive: true, mode: 0o755 });
    for (const name of ['request.json', 'stdout.log', 'stderr.log'])
      writeFileSync(join(this.path, 'tasks', id, name), '');
  }

  /** The database, for what no runtime writes. */
  get db(): OldDatabase['db'] {
    return this.#db.db;
  }

  /** Lets go of the database. */
  close(): string {
    this.#db.db.close();
    return this.path;
  }
}

/** The columns of a task that exited with `code` and printed nothing. */
export function ended(code: number): Record<string, string | number | null> {
  const error = { code: 'exit_non_zero', message: `task exited with code ${code}` };
  return {
    status: code === 0 ? 'success' : 'failed',
    started_at_ms: AT + 1,
    finished_at_ms: AT + 2,
    duration_ms: 1,
    exit_code: code,
    error_code: code === 0 ? null : error.code,
    error_json: code === 0 ? null : JSON.stringify(error),
    reservation_json: '{"task_slots":1}',
    reserved_at_ms: AT,
    released_at_ms: AT + 2,
  };
}
