import { describe, expect, it } from 'vitest';
import { SessionLines } from '../../src/ledger/session-lines.js';

interface Task {
  task_id: string;
  submit_seq: number;
}

const task = (n: number): Task => ({ task_id: `t${n}`, submit_seq: n });
const ids = (tasks: readonly Task[]) => tasks.map(({ task_id }) => task_id);

function lines(limits: Record<string, number> = {}) {
  return new SessionLines<Task>((session) => limits[session] ?? 1);
}

describe('the order in a session', () => {
  it('gives the turn to one at a time, in the order of submission, however they came', () => {
    const subject = lines();
    expect(subject.enter('s', task(1), 0)).toBe(true);
    for (const n of [4, 2, 3]) expect(subject.enter('s', task(n), 0)).toBe(false);
    expect(subject.waitOf('t3')).toEqual({ session: 's', limit: 1, ahead: 1, turns: ['t1'] });
    expect(subject.size).toBe(3);
    expect(ids(subject.leave('t1', 10))).toEqual(['t2']);
    expect(subject.turnSince('t2')).toBe(10);
    expect(ids(subject.leave('t2', 20))).toEqual(['t3']);
    expect(ids(subject.leave('t3', 20))).toEqual(['t4']);
    expect(ids(subject.leave('t4', 30))).toEqual([]);
    expect(subject.turnsOf('s')).toEqual([]);
    expect(subject.size).toBe(0);
  });

  it('lets a task that has its turn come again, as after an attempt, and keeps the turn for it', () => {
    const subject = lines();
    subject.enter('s', task(1), 0);
    subject.enter('s', task(2), 0);
    subject.withdraw('t1');
    expect(subject.enter('s', task(1), 5)).toBe(true);
    expect(subject.turnSince('t1')).toBe(0);
    expect(subject.waits('t2')).toBe(true);
  });

  it('forgets a task that leaves the line, and gives nobody a turn for it', () => {
    const subject = lines();
    for (const n of [1, 2, 3]) subject.enter('s', task(n), 0);
    expect(subject.leave('t2', 0)).toEqual([]);
    subject.withdraw('t3');
    expect(subject.waitOf('t3')).toBeUndefined();
    expect(subject.leave('t1', 0)).toEqual([]);
    expect(subject.leave('unknown', 0)).toEqual([]);
  });

  it('keeps sessions apart, and gives as many turns as each may have', () => {
    const limits = { two: 2 };
    const subject = lines(limits);
    expect([1, 2, 3, 4].map((n) => subject.enter('two', task(n), 0))).toEqual([true, true, false, false]);
    expect(subject.enter('one', task(9), 0)).toBe(true);
    limits.two = 3;
    expect(ids(subject.advance('two', 0))).toEqual(['t3']);
    limits.two = 1;
    expect(subject.leave('t1', 0)).toEqual([]);
    expect(subject.leave('t2', 0)).toEqual([]);
    expect(ids(subject.leave('t3', 0))).toEqual(['t4']);
    expect(subject.advance('unknown', 0)).toEqual([]);
  });

  it('keeps a turn between attempts, and gives one only if one is left', () => {
    const subject = lines();
    subject.keep('s', 't1', 5);
    expect(subject.enter('s', task(0), 9)).toBe(false);
    subject.keep('s', 't1', 7);
    subject.keep('s', 't2', 7);
    expect(subject.turnsOf('s')).toEqual(['t1']);
    expect(subject.turnSince('t1')).toBe(5);
    expect(ids(subject.leave('t1', 9))).toEqual(['t0']);
  });

  it('takes it as it is that more run than may, as after a restart', () => {
    const subject = lines();
    subject.hold('s', 't5', 0);
    subject.hold('s', 't6', 0);
    expect(subject.enter('s', task(1), 0)).toBe(false);
    expect(subject.leave('t5', 0)).toEqual([]);
    expect(ids(subject.leave('t6', 0))).toEqual(['t1']);
  });
});
