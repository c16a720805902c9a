import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { BESIDE } from '../harness/beside.js';
import { waitFor, waitGone } from '../harness/wait.js';
import { buildSupervisor } from './build.js';
import { SupervisorUnderTest } from './harness.js';

let build: ReturnType<typeof buildSupervisor>;
beforeAll(() => {
  build = buildSupervisor();
});
afterAll(() => build.remove());

/** Python whose process lets another live that runs `hide()`, and ends once that has told its pid. */
const escaping = (place: string, hide: string) => `${BESIDE}
import threading, time
def tell():
  with open("pid.new", "w") as file: file.write(str(os.getpid()))
  os.rename("pid.new", "pid")
def close():
  for fd in (0, 1, 2): os.close(fd)
def hide():
  os.setsid()
  ${hide}
${place}
while not os.path.exists("pid"): time.sleep(0.01)
os._exit(3)`;

const BESIDE_IT = `
if beside() == 0: hide()`;
const WITHOUT_PARENT = `
if os.fork() == 0:
  if os.fork() == 0: hide()
  os._exit(0)
os.wait()`;
/** Its child is beside the one that has lost its parent. */
const BOTH = `
if os.fork() == 0:
  if os.fork() == 0:
    while os.getppid() != supervisor: time.sleep(0.01)
    if beside() == 0: hide()
    os._exit(0)
  os._exit(0)
os.wait()`;

const PAUSE = 'time.sleep(1000)';
const EXEC_BARE = 'os.execve("/bin/sh", ["sh", "-c", "echo $$ > pid; exec /bin/sleep 1000"], {})';
const WITHOUT_FIRST_THREAD = `threading.Thread(target=lambda: time.sleep(1000)).start()
  tell(); ctypes.CDLL(None).syscall(${process.arch === 'x64' ? 60 : 93}, 0)`;

describe.each([
  ['beside the leader', BESIDE_IT],
  ['without a parent', WITHOUT_PARENT],
  ['beside one without a parent', `supervisor = os.getppid()${BOTH}`],
])('%s', (_place, place) => {
  test.each([
    ['keeps token and output', `tell(); ${PAUSE}`, true],
    ['keeps its token', `close(); tell(); ${PAUSE}`, true],
    ['keeps its output', EXEC_BARE, true],
    ['has lost its first thread and keeps its output', WITHOUT_FIRST_THREAD, true],
    ['has lost its first thread and keeps its token', `close(); ${WITHOUT_FIRST_THREAD}`, true],
    ['keeps nothing', `close(); ${EXEC_BARE}`, false],
  ])('a process that %s does not outlive its task', async (_what, hide, isKnown) => {
    const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
    // As long as this one runs, what nothing is known of may be its.
    const older = supervisor.sh('exec sleep 1000');
    await supervisor.started(older);
    const outcome = await supervisor.outcome(supervisor.launch(['python3', '-c', escaping(place, hide)]));
    expect(outcome).toMatchObject({ exit_code: 3 });
    expect(outcome.survivors).toBeUndefined();
    const isThere = (pid: string) => existsSync(`/proc/${pid}`);
    const pid = await supervisor.written('pid');
    // Its output is closed a moment before it has ended, and that is what its task may have waited for.
    if (isKnown) await waitFor(() => !isThere(pid), { what: 'the end of what is known' });
    else expect(isThere(pid)).toBe(true);
    supervisor.send({ type: 'kill', launch_id: older });
    await supervisor.outcome(older);
    // Somebody waits for it, too.
    await waitFor(() => !isThere(pid), { what: 'the end of what escaped' });
  });
});

test('with the execa launcher what is beside the leader goes, too, and holds up nothing', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'execa', idleExitMs: 50 });
  const id = supervisor.launch(['python3', '-c', escaping(BESIDE_IT, `close(); ${EXEC_BARE}`)]);
  expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 3 });
  await waitGone(Number(await supervisor.written('pid')));
  supervisor.send({ type: 'ack', launch_ids: [id] });
  supervisor.send({ type: 'drain' });
  await waitGone(supervisor.process.pid);
});

test('a supervisor ends after what its tasks have left behind', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  // Each generation turns up when the one before it is killed.
  const generations = `os.chdir("/"); close()
  if os.fork() == 0: os.setsid()
  os.execve("/bin/sleep", ["sleep", "1000"], {})`;
  const ids = Array.from({ length: 10 }, () =>
    supervisor.launch(['python3', '-c', escaping(BESIDE_IT, `tell(); ${generations}`)]),
  );
  const outcomes = await Promise.all(ids.map((id) => supervisor.outcome(id)));
  expect(outcomes.map(({ exit_code }) => exit_code)).toEqual(ids.map(() => 3));
  const pid = Number(await supervisor.written('pid'));
  supervisor.send({ type: 'drain' });
  supervisor.send({ type: 'ack', launch_ids: ids });
  await waitGone(supervisor.process.pid);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test('what only its token gives away is killed before it is called a survivor', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  const id = supervisor.sh('while [ ! -e go ]; do sleep 0.01; done; exit 3', { grace_ms: 50 });
  const leader = await supervisor.started(id);
  // A child of this process and of none of the supervisor's.
  const stdout = openSync(`/proc/${leader}/fd/1`, 'w');
  const env = { EXECGO_LAUNCH: supervisor.tokens.get(id) };
  const far = spawn('/bin/sleep', ['1000'], { env, stdio: ['ignore', stdout, 'ignore'] });
  onTestFinished(() => void far.kill('SIGKILL'));
  const end = new Promise((resolve) => far.once('exit', (_code, signal) => resolve(signal)));
  closeSync(stdout);
  writeFileSync(join(supervisor.dir, 'work', 'go'), '');
  const outcome = await supervisor.outcome(id);
  expect(outcome).toMatchObject({ exit_code: 3 });
  expect(outcome.survivors).toBeUndefined();
  expect(await end).toBe('SIGKILL');
});
