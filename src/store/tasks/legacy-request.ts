import { submitSchema, type Execution, type TaskRequest } from '../../task/request.js';
import { invalidInputFrom } from '../../task/validate.js';
import { parseJson } from '../database/json.js';

/** The columns in which the older runtime stored a request: JSON texts, or whatever somebody has put there. */
type LegacyColumns = { task_id: string } & Partial<
  Record<`${'execution' | 'limits' | 'sandbox' | 'metadata' | 'control_context'}_json`, unknown>
>;

/** Takes the place of the execution while another part is validated. */
const STAND_IN = { kind: 'command', program: '-' };

/** A request as far as it can be read. */
export interface LegacyRequest {
  request: TaskRequest;
  /** Which part of the row breaks our rules, so that `request` is not what was asked for: such a task must not run. */
  request_problem?: string | undefined;
}

/**
 * The request of a row that the older runtime wrote. Its rules were nearly ours. A part that breaks ours gets the defaults;
 * of such an execution as much as possible is kept, so that the row stays readable.
 */
export function legacyRequest(row: LegacyColumns): LegacyRequest {
  const parts = {
    limits: read(row.limits_json),
    sandbox: read(row.sandbox_json),
    metadata: read(row.metadata_json),
    control_context: read(row.control_context_json),
  };
  const execution = read(row.execution_json);
  const whole = submitSchema.safeParse({ execution, ...parts });
  const unreadable = Object.keys(parts).find((name) => {
    const text = row[`${name as keyof typeof parts}_json`] ?? null;
    return text !== null && text !== 'null' && parts[name as keyof typeof parts] === null;
  });
  if (whole.success)
    return {
      request: { ...whole.data, task_id: row.task_id },
      ...(unreadable === undefined
        ? {}
        : { request_problem: `invalid input: ${unreadable}: cannot be read` }),
    };
  const request = submitSchema.parse({ execution: STAND_IN });
  for (const [name, value] of Object.entries(parts)) {
    const part = submitSchema.safeParse({ execution: STAND_IN, [name]: value });
    if (part.success) Object.assign(request, { [name]: part.data[name as keyof typeof parts] });
  }
  return {
    request: { ...request, task_id: row.task_id, execution: lenientExecution(execution) },
    request_problem: invalidInputFrom(whole.error).message,
  };
}

function read(column: unknown): unknown {
  return typeof column === 'string' ? parseJson(column) : null;
}

function lenientExecution(value: unknown): Execution {
  const strict = submitSchema.safeParse({ execution: value });
  if (strict.success) return strict.data.execution;
  const raw = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const text = (v: unknown) => (typeof v === 'string' ? v : undefined);
  return {
    kind: raw.kind === 'script' ? 'script' : 'command',
    program: text(raw.program),
    args: Array.isArray(raw.args) ? raw.args.filter((a): a is string => typeof a === 'string') : [],
    script: text(raw.script),
    interpreter: undefined,
    cwd: undefined,
    env: {},
  };
}
