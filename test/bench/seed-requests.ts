import type { TaskSubmission } from '../../src/task/request.js';

/** A task of the history that others are multiplied from. */
export interface TemplateTask {
  submission: TaskSubmission;
  /** Killed as soon as it runs, or as soon as it is accepted. */
  kill?: 'running' | 'waiting';
}

const TENANTS = ['alpha', 'beta', 'gamma', 'delta'];
const run = (program: string, ...args: string[]): TaskSubmission => ({
  execution: { kind: 'command', program, args },
});

/** One of each kind of end and of request that a real history holds; most of them succeed. */
const KINDS: readonly ((n: number) => TemplateTask)[] = [
  () => ({ submission: run('/bin/true') }),
  (n) => ({ submission: { ...run('/bin/echo', 'build', `module-${n}`), metadata: { trace: `trace-${n}` } } }),
  (n) => ({
    submission: {
      execution: {
        kind: 'script',
        script: `cd "$PWD" && echo step ${n}\nprintf '%s\\n' "$CI"`,
        env: { CI: 'true' },
      },
      control_context: contextOf(n),
    },
  }),
  (n) => ({
    submission: {
      ...run('/bin/true', '--quiet'),
      limits: { memory_bytes: 268_435_456, pids_max: 64 },
      control_context: { ...contextOf(n), idempotency_key: `key-${n}` },
    },
  }),
  (n) => ({ submission: { ...run('/bin/cat', '/etc/hostname'), control_context: contextOf(n) } }),
  () => ({ submission: run('/bin/true') }),
  (n) => ({ submission: { ...run('/bin/false'), policy: { priority: n % 3 } } }),
  () => ({ submission: run('/no/such/program') }),
  () => ({ submission: { ...run('/bin/sleep', '60'), limits: { wall_time_ms: 50 } } }),
  () => ({ submission: run('/bin/sleep', '60'), kill: 'running' }),
  () => ({ submission: run('/bin/sleep', '61'), kill: 'waiting' }),
  () => ({ submission: run('/bin/true') }),
];

function contextOf(n: number): NonNullable<TaskSubmission['control_context']> {
  const tenant = TENANTS[n % TENANTS.length];
  return {
    tenant,
    owner: `owner-${n % 7}`,
    queue: n % 2 === 0 ? 'default' : 'nightly',
    lane: n % 5 === 0 ? 'fast' : null,
    labels: { team: `team-${n % 5}`, build: String(n) },
  };
}

/** `count` tasks of all kinds in turn. */
export function templateTasks(count: number): TemplateTask[] {
  return Array.from({ length: count }, (_, n) => KINDS[n % KINDS.length]!(n));
}
