import type { Limit } from './limit.js';

/**
 * Sets the shell's own nice value, which all of the task inherits. Where the kernel first shares the CPU between sessions
 * (autogroup), that counts only inside of the task's session, so the session gets the value as well. The kernel lets users other
 * than root set it ten times a second on the whole machine, so it is tried again for half a second. Where the daemon itself has a
 * higher nice value, the task keeps that.
 */
const SET = [
  'weigh() { echo "$1" >/proc/self/autogroup; }',
  'later() { "$4" 0.1; weigh "$1"; }',
  'session() {',
  '  [ "$("$5" /proc/sys/kernel/sched_autogroup_enabled)" != 1 ] || weigh "$1" ||',
  '    later "$@" || later "$@" || later "$@" || later "$@" || later "$@"',
  '}',
  'session "$@" 2>/dev/null',
  '"$2" "$1" -p $$ >/dev/null 2>&1 || [ "$("$3")" -ge "$1" ] || fail "cannot set the nice value"',
].join('\n');

/** The kernel's weight of a nice value: each step is a fifth less. */
const shares = (nice: number) => Math.round(1024 / 1.25 ** nice);

/** How far the task stands back for others at the CPU: 19 the most. */
export const nice = {
  name: 'nice',
  plan: 'nice',
  request: {
    range: { min: 0, max: 19, rule: 'must be 0 to 19' },
    describe: 'How far it stands back for others at the CPU: 0 to 19, the most',
  },
  flag: { name: 'nice', value: '<n>', help: 'how far it stands back for others at the CPU, 0 to 19' },
  words: (value) => `nice ${String(value)}`,
  holders: [
    {
      by: 'command',
      mechanism: 'nice',
      capability: 'nice',
      tried: 1,
      tools: ['renice', 'nice', 'sleep', 'cat'],
      text: SET,
      // A cgroup with a weight of its own is weighed as a whole, whatever the nice values in it.
      beside: {
        controller: 'cpu',
        settings: (value, { version }) =>
          version === 'v2' ? [['cpu.weight.nice', String(value)]] : [['cpu.shares', String(shares(value))]],
      },
    },
  ],
} as const satisfies Limit;
