import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTenantQuota, TenantQuotaError } from '../../src/ledger/tenant-quota.js';

describe('a tenant quota', () => {
  test('has its parts in any order, spaces trimmed, the last one wins, 0 allowed', () => {
    expect(parseTenantQuota('acme=slots:2')).toEqual({ tenant: 'acme', quota: { task_slots: 2 } });
    expect(parseTenantQuota(' a b = pids : 7 , memory:1024,slots: 0 ,cpu:1500, pids:8')).toEqual({
      tenant: 'a b',
      quota: { task_slots: 0, memory_bytes: 1024, pids: 8, cpu_millis: 1500 },
    });
    expect(parseTenantQuota('acme=gpu:2, slots:1, toString:0', ['toString', 'gpu'])).toEqual({
      tenant: 'acme',
      quota: { task_slots: 1, resources: { gpu: 2, toString: 0 } },
    });
    expect(() => parseTenantQuota('acme=slots:1,gpu:x', ['gpu'])).toThrow(/"gpu:x" needs a whole number/);
  });

  test.each([
    ['', /no "="/],
    ['acme', /no "="/],
    ['=slots:1', /no tenant name/],
    ['acme=', /"" is not one of slots:N/],
    ['acme=memory:5', /slots:N is required/],
    ['acme=slots', /whole number/],
    ['acme=slots:', /whole number/],
    ['acme=slots:-1', /whole number/],
    ['acme=slots:1.5', /whole number/],
    ['acme=slots:1:2', /whole number/],
    ['acme=slots:9007199254740992', /2\^53-1/],
    ['acme=slots:1,space:5', /"space:5" is not one of slots:N, cpu:N, memory:N, pids:N, disk:N/],
    ['acme=slots:1,', /"" is not one of/],
    ['acme=slots:1,toString:5', /is not one of/],
  ])('%j is refused, saying why', (text, why) => {
    expect(() => parseTenantQuota(text)).toThrow(TenantQuotaError);
    expect(() => parseTenantQuota(text)).toThrow(why);
  });

  test('reads back whatever it is written as', () => {
    const amount = fc.maxSafeNat();
    const name = fc.string({ minLength: 1 }).filter((s) => !s.includes('=') && s.trim() !== '');
    const quota = fc.record(
      { slots: amount, cpu: amount, memory: amount, pids: amount },
      { requiredKeys: ['slots'] },
    );
    fc.assert(
      fc.property(name, quota, fc.nat(), (tenant, parts, turn) => {
        const texts = Object.entries(parts).map(([key, value]) => `${key}:${value}`);
        const turned = [...texts.slice(turn % texts.length), ...texts.slice(0, turn % texts.length)];
        const { slots, cpu, memory, pids } = parts;
        expect(parseTenantQuota(`${tenant}=${turned.join(',')}`)).toEqual({
          tenant: tenant.trim(),
          quota: { task_slots: slots, cpu_millis: cpu, memory_bytes: memory, pids },
        });
      }),
    );
  });

  test('throws nothing else than its error', () => {
    const part = fc.constantFrom(
      'slots',
      'memory',
      ':',
      ',',
      '=',
      ' ',
      '1',
      '-',
      'a',
      '99999999999999999999',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(part).map((p) => p.join('')),
    );
    fc.assert(
      fc.property(text, (t) => {
        try {
          parseTenantQuota(t);
        } catch (error) {
          expect(error).toBeInstanceOf(TenantQuotaError);
        }
      }),
    );
  });
});
