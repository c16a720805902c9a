import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addRequestOptions, buildRequest, type RequestOptions } from '../../src/cli/request-options.js';
import { cgroupSpec, type CgroupLayout } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { CONTROLLER_NAMES } from '../../src/sandbox/limits/controllers.js';
import type { Holder, Mechanism } from '../../src/sandbox/limits/limit.js';
import { CGROUP_LIMITS, LIMIT_CAPABILITIES, LIMITS } from '../../src/sandbox/limits/limits.js';
import { resolvePlan } from '../../src/sandbox/plan.js';
import { ableHost, request } from './hosts.js';

const DEFAULTS = { capabilityMode: 'strict', wallTimeMs: 0 } as const;
/** A value of each flag that every kind of limit takes. */
const GIVEN = { '<duration>': '7s', '<seconds>': '7s', '<size>': '64M', '<n>': '17' } as const;
const READ = { '<duration>': 7000, '<seconds>': 7, '<size>': 2 ** 26, '<n>': 17 } as const;

const doc = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** A host whose every controller lies in one directory of v2, or in one each of v1. */
function layout(version: 'v1' | 'v2'): CgroupLayout {
  const path = (controller: string) => (version === 'v2' ? '/cg' : `/${controller}`);
  const controllers = CONTROLLER_NAMES.map((name) => [name, { path: path(name), version }] as const);
  return {
    kind: version,
    track: { path: path('pids'), kill_file: false },
    ...Object.fromEntries(controllers),
  };
}

function mechanism(holder: Holder | undefined): Mechanism {
  if (holder === undefined) return 'supervisor';
  if (holder.by === 'command' || holder.by === 'supervisor') return holder.mechanism;
  return holder.by === 'cgroup' ? 'cgroup_v2' : 'rlimit';
}

test('no two limits share a name, a flag or the words of the plan', () => {
  for (const of of [
    LIMITS.map(({ name }) => name),
    LIMITS.map(({ flag }) => flag.name),
    LIMITS.map(({ plan }) => plan),
  ])
    expect(new Set(of).size).toBe(of.length);
});

describe.each(LIMITS.map((limit) => [limit.name, limit] as const))('%s', (name, limit) => {
  const value = READ[limit.flag.value];

  test('is a flag of submit and run, and a field of the request', () => {
    const command = addRequestOptions(new Command()).exitOverride();
    command.parse(['--workspace', `--${limit.flag.name}`, GIVEN[limit.flag.value], '--', 'true'], {
      from: 'user',
    });
    const built = buildRequest(command.opts<RequestOptions>(), command.args);
    expect(built.limits?.[name]).toBe(value);
    expect(request({ limits: { [name]: value } }).limits[name]).toBe(value);
    expect(() => request({ limits: { [name]: -1 } })).toThrow(limit.request.range?.rule ?? /greater than 0/);
  });

  test('is held in full by a host that can do everything, and reserves what it says', () => {
    const { plan, reservation } = resolvePlan(request({ limits: { [name]: value } }), ableHost(), DEFAULTS);
    const told = plan.resource_enforcement;
    expect(told[name]).toBe(value);
    expect(told[`${limit.plan}_mechanism`]).toBe(mechanism(limit.holders[0]));
    expect(reservation).toEqual({
      task_slots: 1,
      ...(limit.reserves === undefined ? {} : { [limit.reserves]: value }),
    });
  });

  test('is named in the documentation', () => {
    expect(doc('api.md')).toMatch(new RegExp(`\`(limits\\.)?${name}\``));
    expect(doc('security.md')).toContain(`\`${name}\``);
    expect(doc('cli.md')).toContain(`\`--${limit.flag.name} <`);
    expect(doc('cli.md')).toContain(`\`limits.${name}\``);
  });
});

/** Those that need something of the host: what the supervisor holds, it holds everywhere. */
const OF_HOST = LIMITS.filter(({ holders }) => holders.some(({ by }) => by !== 'supervisor'));

test.each(OF_HOST.map((limit) => [limit.name, limit] as const))(
  '%s is refused or said where nothing can hold it',
  (name, limit) => {
    const nothing = Object.fromEntries(LIMIT_CAPABILITIES.map((each) => [each, false]));
    const host = ableHost({ ...nothing, cgroup: 'none', reasons: {} });
    const task = request({ limits: { [name]: READ[limit.flag.value] } });
    expect(() => resolvePlan(task, host, DEFAULTS)).toThrow(`${name} is not enforced`);
    const { plan } = resolvePlan(task, host, { ...DEFAULTS, capabilityMode: 'adaptive' });
    expect(plan.fallback_reasons).toEqual([`${name} is not enforced`]);
    expect(plan.resource_enforcement).toMatchObject({
      [`${limit.plan}_enforced`]: false,
      [`${limit.plan}_mechanism`]: 'none',
    });
  },
);

describe.each(['v1', 'v2'] as const)('on cgroup %s', (version) => {
  test.each(CGROUP_LIMITS.map((each) => [each.limit.name, each] as const))(
    '%s is written where its controller is, as it is tried at the start',
    (name, { holder }) => {
      const spec = cgroupSpec(layout(version), 'n', { [name]: holder.tried }, () => ['8:0']);
      const written = [spec!.track, ...spec!.limits].filter(({ settings }) => settings.length > 0);
      expect(written.map(({ path }) => path)).toEqual([
        version === 'v2' ? '/cg/n' : `/${holder.controller}/n`,
      ]);
    },
  );
});
