import { constants } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Attempt, Executor, Place } from '../../src/executor/executor.js';
import { waitFor } from '../harness/wait.js';
import { adopted, Told, type Work, type World } from './world.js';

const { SIGINT, SIGKILL, SIGTERM } = constants.signals;
const WAIT: Work = { does: 'wait' };

/** An executor that serves, and who listens to it. */
interface Daemon {
  world: World;
  executor: Executor;
  told: Told;
  /** A new attempt for the place of now, given to it. */
  launch: (work: Work) => Attempt;
  /** Goes away; what runs goes on. */
  leave: () => Promise<void>;
}

/** Opens an executor that takes over these attempts. @param takes whether ends are taken @param seeEnd called at each */
async function serve(
  world: World,
  found: Parameters<Executor['start']>[0] = [],
  { takes = true, seeEnd }: { takes?: boolean; seeEnd?: (attempt: Attempt) => void } = {},
): Promise<Daemon> {
  const told = new Told(takes, seeEnd);
  const executor = world.open(told);
  let closed: Promise<void> | undefined;
  const leave = () => (closed ??= executor.close(false));
  onTestFinished(leave);
  await executor.start(found);
  const launch = (work: Work) => {
    const attempt = world.attempt(work, place(executor));
    expect(executor.launch(attempt)).toBe(true);
    return attempt;
  };
  return { world, executor, told, launch, leave };
}

function place(executor: Executor): Place {
  if (executor.place === undefined) throw new Error('there is no place');
  return executor.place;
}

/** Waits for a place that is not this one. */
function placeAfter(executor: Executor, { incarnation }: Place): Promise<Place> {
  const another = () => executor.place?.incarnation !== incarnation && executor.place;
  return waitFor(another, { what: 'another place' });
}

/**
 * What holds for every implementation of the port.
 * @param make a world of its own for each test, which leaves nothing behind
 */
export function executorSuite(name: string, make: () => Promise<World>): void {
  describe(`${name}: an attempt`, () => {
    test.each([0, 7])('ends with its true exit code %i', async (code) => {
      const { world, told, launch } = await serve(await make());
      const attempt = launch({ does: 'exit', code });
      const outcome = await told.endOf(attempt);
      expect(outcome).toMatchObject({
        launch_id: attempt.launch_id,
        token: attempt.launch_token,
        exit_code: code,
      });
      for (const { running, recovered } of told.starts) {
        expect(running).toMatchObject({ launch_id: attempt.launch_id, pid: outcome.pid });
        expect(recovered).toBe(false);
      }
      expect(told.closings(attempt)).toHaveLength(1);
      expect(world.begun(attempt)).toBe(1);
    });

    test('is told as running while it runs', async () => {
      const { world, told, launch } = await serve(await make());
      const attempt = launch(WAIT);
      const { running, recovered } = await told.startOf(attempt);
      expect(running).toMatchObject({ launch_id: attempt.launch_id, token: attempt.launch_token });
      expect(recovered).toBe(false);
      world.finish(attempt);
      expect((await told.endOf(attempt)).pid).toBe(running.pid);
    });

    test('that cannot begin ends with the reason', async () => {
      const { world, told, launch } = await serve(await make());
      const attempt = launch({ does: 'nothing' });
      const outcome = await told.endOf(attempt);
      expect(outcome.failure).toMatchObject({ stage: 'launch' });
      expect(outcome.exit_code).toBeUndefined();
      expect(world.begun(attempt)).toBe(0);
    });

    test('begins once, however often it is launched', async () => {
      const { world, executor, told, launch } = await serve(await make());
      const attempt = launch(WAIT);
      executor.launch(attempt);
      await told.startOf(attempt);
      executor.launch(attempt);
      world.finish(attempt);
      expect(await told.endOf(attempt)).toMatchObject({ exit_code: 0 });
      executor.launch(attempt);
      await told.endOf(launch({ does: 'exit', code: 0 }));
      expect(world.begun(attempt)).toBe(1);
    });

    test('ends when its wall time has passed, and that is told', async () => {
      const { world, told, launch } = await serve(await make());
      const attempt = launch({ does: 'run', wallTimeMs: 50 });
      expect(await told.endOf(attempt)).toMatchObject({ first_stop: 'timeout', signal: SIGTERM });
      const isIts = ({ id }: { id: number }) => id === attempt.launch_id;
      expect((await waitFor(() => told.timeouts.find(isIts))).atMs).toBeGreaterThan(0);
      expect(world.runs(attempt)).toBe(false);
    });
  });

  describe(`${name}: a kill`, () => {
    test('ends what runs, by its signal', async () => {
      const { world, executor, told, launch } = await serve(await make());
      const [byDefault, byInterrupt] = [launch({ does: 'run' }), launch({ does: 'run' })];
      await waitFor(() => world.begun(byDefault) === 1 && world.begun(byInterrupt) === 1);
      executor.kill(byDefault.launch_id, {});
      executor.kill(byInterrupt.launch_id, { signal: SIGINT });
      expect(await told.endOf(byDefault)).toMatchObject({ signal: SIGTERM, first_stop: 'kill' });
      expect(await told.endOf(byInterrupt)).toMatchObject({ signal: SIGINT, first_stop: 'kill' });
      expect([byDefault, byInterrupt].map((attempt) => world.runs(attempt))).toEqual([false, false]);
    });

    test('before the start ends it all the same', async () => {
      const { world, executor, told, launch } = await serve(await make());
      const attempt = launch({ does: 'run' });
      executor.kill(attempt.launch_id, {});
      expect(await told.closed(attempt)).toHaveLength(1);
      expect(world.runs(attempt)).toBe(false);
      expect(world.begun(attempt)).toBeLessThanOrEqual(1);
    });

    test('ends what resists once its grace has passed', async () => {
      const { world, executor, told, launch } = await serve(await make());
      const attempt = launch({ does: 'resist' });
      await waitFor(() => world.begun(attempt) === 1);
      executor.kill(attempt.launch_id, { grace_ms: 50 });
      expect(await told.endOf(attempt)).toMatchObject({ signal: SIGKILL, first_stop: 'kill' });
    });

    test('that comes later shortens the grace, and never lengthens it', async () => {
      const { world, executor, told, launch } = await serve(await make());
      const attempt = launch({ does: 'resist' });
      await waitFor(() => world.begun(attempt) === 1);
      for (const grace_ms of [undefined, 50, 40_000, undefined])
        executor.kill(attempt.launch_id, { grace_ms });
      expect(await told.endOf(attempt)).toMatchObject({ signal: SIGKILL });
    });

    test('does so too where its place cannot be told yet, and the first signal counts', async () => {
      const world = await make();
      const first = await serve(world);
      const [shortened, interrupted] = [first.launch({ does: 'resist' }), first.launch({ does: 'run' })];
      await waitFor(() => world.begun(shortened) === 1 && world.begun(interrupted) === 1);
      await first.leave();
      const told = new Told();
      const executor = world.open(told);
      onTestFinished(() => executor.close(false));
      const starting = executor.start([adopted(shortened), adopted(interrupted)]);
      for (const grace_ms of [undefined, 50, 40_000, undefined])
        executor.kill(shortened.launch_id, { grace_ms });
      executor.kill(interrupted.launch_id, { signal: SIGINT });
      executor.kill(interrupted.launch_id, { signal: SIGTERM });
      await starting;
      expect(await told.endOf(shortened)).toMatchObject({ signal: SIGKILL });
      expect(await told.endOf(interrupted)).toMatchObject({ signal: SIGINT });
    });

    test('of what is not held does nothing', async () => {
      const { executor, told, launch } = await serve(await make());
      executor.kill(1_000_000, {});
      const attempt = launch({ does: 'exit', code: 0 });
      await told.endOf(attempt);
      executor.kill(attempt.launch_id, { grace_ms: 0 });
      expect(await told.endOf(launch({ does: 'exit', code: 3 }))).toMatchObject({ exit_code: 3 });
    });
  });

  describe(`${name}: a pause`, () => {
    /** One that runs and is paused, and one that runs on, by which the time is told. */
    async function paused(world: World) {
      const daemon = await serve(world);
      const [attempt, other] = [daemon.launch({ does: 'run' }), daemon.launch({ does: 'run' })];
      const { running } = await daemon.told.startOf(attempt);
      await waitFor(() => world.progress(attempt) > 0 && world.progress(other) > 0);
      expect(daemon.executor.canPause(attempt.launch_id)).toBe(true);
      daemon.executor.pause(attempt.launch_id);
      const at = await daemon.told.turnOf(attempt, 'paused');
      return { ...daemon, attempt, other, at, running };
    }

    /** Sees that the one gets nowhere while the other gets on. */
    async function expectStill(world: World, still: Attempt, other: Attempt) {
      const [before, from] = [world.progress(still), world.progress(other)];
      await waitFor(() => world.progress(other) > from + 5, { what: 'progress of the other one' });
      expect(world.progress(still)).toBe(before);
    }

    function getsOn(world: World, attempt: Attempt) {
      const before = world.progress(attempt);
      return waitFor(() => world.progress(attempt) > before, { what: 'progress' });
    }

    test('stops what runs until it is resumed, again and again', async () => {
      const world = await make();
      const { executor, told, attempt, other, at } = await paused(world);
      await expectStill(world, attempt, other);
      executor.resume(attempt.launch_id);
      const resumedAt = await told.turnOf(attempt, 'resumed');
      expect(resumedAt).toBeGreaterThan(at);
      await getsOn(world, attempt);
      executor.pause(attempt.launch_id);
      expect(await told.turnOf(attempt, 'paused', at)).toBeGreaterThan(resumedAt);
      await expectStill(world, attempt, other);
      executor.resume(attempt.launch_id);
      await getsOn(world, attempt);
      expect(told.closings(attempt)).toEqual([]);
      expect(world.begun(attempt)).toBe(1);
    });

    test('that is asked for twice is told twice, with the time of the first', async () => {
      const { executor, told, attempt, at } = await paused(await make());
      const turns = () => told.turns.filter(({ id, to }) => id === attempt.launch_id && to === 'paused');
      const before = turns().length;
      executor.pause(attempt.launch_id);
      await waitFor(() => turns().length > before, { what: 'a second word of the same' });
      expect(new Set(turns().map(({ atMs }) => atMs))).toEqual(new Set([at]));
    });

    test('has the wall time stand still', async () => {
      const world = await make();
      const { executor, told, launch } = await serve(world);
      const WALL_TIME_MS = 1500;
      const attempt = launch({ does: 'wait', wallTimeMs: WALL_TIME_MS });
      await told.startOf(attempt);
      executor.pause(attempt.launch_id);
      await told.turnOf(attempt, 'paused');
      const from = performance.now();
      await waitFor(() => performance.now() - from > WALL_TIME_MS);
      world.finish(attempt);
      executor.resume(attempt.launch_id);
      expect(await told.endOf(attempt)).toMatchObject({ exit_code: 0 });
      expect(told.timeouts).toEqual([]);
    });

    test('leaves the wall time what was left of it', async () => {
      const { executor, told, launch } = await serve(await make());
      const attempt = launch({ does: 'run', wallTimeMs: 1000 });
      await told.startOf(attempt);
      executor.pause(attempt.launch_id);
      await told.turnOf(attempt, 'paused');
      executor.resume(attempt.launch_id);
      expect(await told.endOf(attempt)).toMatchObject({ first_stop: 'timeout', signal: SIGTERM });
    });

    test('ends with a kill, whose signal is handled', async () => {
      const { world, executor, told, attempt } = await paused(await make());
      executor.kill(attempt.launch_id, { signal: SIGINT });
      expect(await told.endOf(attempt)).toMatchObject({ first_stop: 'kill', signal: SIGINT });
      expect(world.runs(attempt)).toBe(false);
    });

    test('ends with the KILL of a kill', async () => {
      const { executor, told, attempt } = await paused(await make());
      executor.kill(attempt.launch_id, { grace_ms: 0 });
      expect(await told.endOf(attempt)).toMatchObject({ first_stop: 'kill', signal: SIGKILL });
    });

    test('lasts when the daemon goes, and is told to the next one', async () => {
      const world = await make();
      const first = await paused(world);
      await first.leave();
      const { attempt, other, running, at } = first;
      const next = await serve(world, [adopted(attempt, { started: running, paused: true }), adopted(other)]);
      expect(await next.told.turnOf(attempt, 'paused')).toBe(at);
      await expectStill(world, attempt, other);
      next.executor.resume(attempt.launch_id);
      await next.told.turnOf(attempt, 'resumed');
      await getsOn(world, attempt);
    });

    test('that was committed and not told is told by the next daemon', async () => {
      const world = await make();
      const first = await serve(world);
      const [attempt, other] = [first.launch({ does: 'run' }), first.launch({ does: 'run' })];
      const { running } = await first.told.startOf(attempt);
      await first.leave();
      const next = await serve(world, [adopted(attempt, { started: running, paused: true }), adopted(other)]);
      await next.told.turnOf(attempt, 'paused');
      await waitFor(() => world.progress(other) > 0);
      await expectStill(world, attempt, other);
    });

    test('whose end was committed and not told ends with the next daemon', async () => {
      const world = await make();
      const { attempt, running, leave } = await paused(world);
      await leave();
      await serve(world, [adopted(attempt, { started: running })]);
      await getsOn(world, attempt);
    });

    test('does not keep what was to be killed from being killed by the next daemon', async () => {
      const world = await make();
      const { attempt, running, leave } = await paused(world);
      await leave();
      const next = await serve(world, [adopted(attempt, { started: running, kill: {} })]);
      expect(await next.told.endOf(attempt)).toMatchObject({ first_stop: 'kill', signal: SIGTERM });
    });

    test('does not keep what a dead place has left from being killed', async () => {
      const { world, executor, told, attempt } = await paused(await make());
      await world.crash(place(executor));
      await told.lossOf(attempt);
      expect(world.runs(attempt)).toBe(false);
    });

    test('of what is not held, or has ended, does nothing', async () => {
      const { executor, told, launch } = await serve(await make());
      expect(executor.canPause(1_000_000)).toBeUndefined();
      executor.pause(1_000_000);
      executor.resume(1_000_000);
      const attempt = launch({ does: 'exit', code: 0 });
      await told.endOf(attempt);
      executor.pause(attempt.launch_id);
      expect(await told.endOf(launch({ does: 'exit', code: 3 }))).toMatchObject({ exit_code: 3 });
    });
  });

  describe(`${name}: a daemon that goes away`, () => {
    test('leaves what runs running; the next one is told that it runs, and how it ends', async () => {
      const world = await make();
      const first = await serve(world);
      const attempt = first.launch(WAIT);
      const { running } = await first.told.startOf(attempt);
      await first.leave();
      expect(world.runs(attempt)).toBe(true);
      const next = await serve(world, [adopted(attempt, { started: running })]);
      expect(await next.told.startOf(attempt)).toMatchObject({ recovered: true, running });
      world.finish(attempt);
      expect(await next.told.endOf(attempt)).toMatchObject({ exit_code: 0, pid: running.pid });
      expect(world.begun(attempt)).toBe(1);
      expect(first.told.closings(attempt)).toEqual([]);
    });

    test('has what ended meanwhile told to the next one before that serves', async () => {
      const world = await make();
      const first = await serve(world);
      const attempt = first.launch(WAIT);
      await first.told.startOf(attempt);
      await first.leave();
      world.finish(attempt);
      await waitFor(() => !world.runs(attempt));
      const next = await serve(world, [adopted(attempt)]);
      expect(await next.told.endOf(attempt)).toMatchObject({ exit_code: 0 });
      expect(next.told.closings(attempt)).toHaveLength(1);
      expect(world.begun(attempt)).toBe(1);
    });

    test('and could not take an end has it told to the next one, until one takes it', async () => {
      const world = await make();
      const first = await serve(world, [], { takes: false });
      const attempt = first.launch({ does: 'exit', code: 7 });
      const outcome = await first.told.endOf(attempt);
      await first.leave();
      const second = await serve(world, [adopted(attempt)], { takes: false });
      expect(await second.told.endOf(attempt)).toEqual(outcome);
      await second.leave();
      const third = await serve(world, [adopted(attempt)]);
      expect(await third.told.endOf(attempt)).toEqual(outcome);
      expect(world.begun(attempt)).toBe(1);
    });

    test('before it launched what it had committed leaves that to the next one, which begins it once or refuses it', async () => {
      const world = await make();
      const first = await serve(world);
      const attempt = world.attempt({ does: 'exit', code: 0 }, place(first.executor));
      await first.leave();
      const next = await serve(world, [adopted(attempt)]);
      const closings = await next.told.closed(attempt);
      expect(closings).toHaveLength(1);
      expect(closings).not.toContain('lost');
      expect(world.begun(attempt)).toBe(closings[0] === 'refused' ? 0 : 1);
    });

    test('and was to kill what had not begun has it never begin', async () => {
      const world = await make();
      const first = await serve(world);
      const attempt = world.attempt({ does: 'exit', code: 0 }, place(first.executor));
      await first.leave();
      const next = await serve(world, [adopted(attempt, { kill: {} })]);
      expect(await next.told.closed(attempt)).toHaveLength(1);
      expect(world.begun(attempt)).toBe(0);
    });

    test('and was to kill what runs has it killed by the next one', async () => {
      const world = await make();
      const first = await serve(world);
      const attempt = first.launch({ does: 'run' });
      const { running } = await first.told.startOf(attempt);
      await waitFor(() => world.begun(attempt) === 1);
      await first.leave();
      const next = await serve(world, [adopted(attempt, { started: running, kill: {} })]);
      expect(await next.told.endOf(attempt)).toMatchObject({ first_stop: 'kill', signal: SIGTERM });
    });

    test('has places end that have nothing left, where it drains', async () => {
      const world = await make();
      const { executor, told, launch } = await serve(world);
      await told.endOf(launch({ does: 'exit', code: 0 }));
      const last = place(executor);
      await executor.close(true);
      await waitFor(() => !world.lives(last), { what: 'the end of the place' });
    });
  });

  describe(`${name}: a place`, () => {
    test('is told as ready, and takes attempts from then on', async () => {
      const { executor, told, launch } = await serve(await make());
      await waitFor(() => told.readies > 0);
      expect(place(executor).incarnation).not.toBe('');
      await told.endOf(launch({ does: 'exit', code: 0 }));
    });

    test('that dies has what runs there killed, and told as lost; another one comes', async () => {
      const { world, executor, told, launch } = await serve(await make());
      const attempt = launch({ does: 'run' });
      const { running } = await told.startOf(attempt);
      const dead = place(executor);
      await world.crash(dead);
      expect((await told.lossOf(attempt)).running).toMatchObject({ pid: running.pid });
      expect(world.runs(attempt)).toBe(false);
      expect(told.closings(attempt)).toEqual(['lost']);
      await placeAfter(executor, dead);
      expect(await told.endOf(launch({ does: 'exit', code: 0 }))).toMatchObject({ exit_code: 0 });
    });

    test('that died while no daemon was there, the same', async () => {
      const world = await make();
      const first = await serve(world);
      const attempt = first.launch({ does: 'run' });
      const { running } = await first.told.startOf(attempt);
      const there = place(first.executor);
      await first.leave();
      await world.crash(there);
      const next = await serve(world, [adopted(attempt, { started: running })]);
      expect(next.told.closings(attempt)).toEqual(['lost']);
      expect(world.runs(attempt)).toBe(false);
    });

    test('that dies before it has heard of an attempt refuses it: it never begins', async () => {
      const { world, executor, told } = await serve(await make());
      const dead = place(executor);
      const attempt = world.attempt({ does: 'exit', code: 0 }, dead);
      await world.crash(dead);
      if (executor.launch(attempt)) expect(await told.refusalOf(attempt)).toMatchObject({ again: false });
      await placeAfter(executor, dead);
      expect(executor.launch(attempt)).toBe(false);
      expect(world.begun(attempt)).toBe(0);
      const another = world.attempt({ does: 'exit', code: 5 }, place(executor));
      expect(executor.launch(another)).toBe(true);
      expect(await told.endOf(another)).toMatchObject({ exit_code: 5 });
    });

    test('that refused what was not committed anew has that told to later ones, too: it is not lost', async () => {
      const world = await make();
      const first = await serve(world);
      const dead = place(first.executor);
      const [unheard, tooLate] = [WAIT, WAIT].map((work) => world.attempt(work, dead)) as [Attempt, Attempt];
      await world.crash(dead);
      const isHeld = first.executor.launch(unheard);
      await placeAfter(first.executor, dead);
      if (isHeld) await first.told.refusalOf(unheard);
      expect(first.executor.launch(tooLate)).toBe(false);
      // Whatever is forgotten when something else comes and ends.
      await first.told.endOf(first.launch({ does: 'exit', code: 0 }));
      await first.leave();
      for (let daemon = 2; daemon <= 3; daemon++) {
        const next = await serve(world, [adopted(unheard), adopted(tooLate)]);
        for (const attempt of [unheard, tooLate]) expect(next.told.closings(attempt)).toEqual(['refused']);
        await next.leave();
      }
      expect([unheard, tooLate].map((attempt) => world.begun(attempt))).toEqual([0, 0]);
    });

    test('that has an end and dies before it was taken has it told, until one takes it', async () => {
      const world = await make();
      const first = await serve(world);
      const attempt = first.launch(WAIT);
      const there = place(first.executor);
      await first.told.startOf(attempt);
      await first.leave();
      world.finish(attempt);
      await waitFor(() => !world.runs(attempt));
      // It is told to be over only once the place knows it too.
      const witness = await serve(world, [adopted(attempt)], { takes: false });
      const outcome = await witness.told.endOf(attempt);
      await witness.leave();
      await world.crash(there);
      for (const takes of [false, false, true]) {
        const next = await serve(world, [adopted(attempt)], { takes });
        expect(await next.told.endOf(attempt)).toEqual(outcome);
        expect(next.told.closings(attempt)).toHaveLength(1);
        await next.leave();
      }
    });

    test('that nobody knows took what is adopted with it: that is lost, and never begins', async () => {
      const world = await make();
      const nowhere: Place = { incarnation: 'nowhere', pid: 1 };
      const attempt = world.attempt({ does: 'exit', code: 0 }, nowhere);
      const { executor, told } = await serve(world, [adopted(attempt)]);
      expect(told.closings(attempt)).toEqual(['lost']);
      expect(executor.launch(world.attempt({ does: 'exit', code: 0 }, nowhere))).toBe(false);
      expect(world.begun(attempt)).toBe(0);
    });

    test('hears of what it holds, and no more once it is dead', async () => {
      const { world, executor, told, launch } = await serve(await make());
      expect(executor.hears(1_000_000)).toBe(false);
      const attempt = launch({ does: 'run' });
      await told.startOf(attempt);
      expect(executor.hears(attempt.launch_id)).toBe(true);
      await world.crash(place(executor));
      await told.lossOf(attempt);
      await waitFor(() => !executor.hears(attempt.launch_id));
    });
  });

  describe(`${name}: output`, () => {
    test('is in the directory of the task while it runs, and whole before its end is told', async () => {
      const world = await make();
      const outputs: string[] = [];
      const { told, launch } = await serve(world, [], {
        seeEnd: (attempt) => {
          outputs.push(world.output(attempt));
        },
      });
      const attempt = launch(WAIT);
      await waitFor(() => world.output(attempt) === 'begun\n', { what: 'what it printed first' });
      world.finish(attempt);
      const { stdout } = await told.endOf(attempt);
      expect(outputs).toContain('begun\nfinished\n');
      expect(new Set(outputs).size).toBe(1);
      expect(stdout).toMatchObject({ bytes: 15, kept_bytes: 15 });
    });

    test('goes on over daemons, and stays when the place dies', async () => {
      const world = await make();
      const first = await serve(world);
      const [ends, dies] = [first.launch(WAIT), first.launch(WAIT)];
      for (const attempt of [ends, dies]) await first.told.startOf(attempt);
      const there = place(first.executor);
      await first.leave();
      const next = await serve(world, [adopted(ends), adopted(dies)]);
      for (const attempt of [ends, dies]) await waitFor(() => world.output(attempt) === 'begun\n');
      world.finish(ends);
      await next.told.endOf(ends);
      expect(world.output(ends)).toBe('begun\nfinished\n');
      await world.crash(there);
      await next.told.lossOf(dies);
      expect(world.output(dies)).toBe('begun\n');
    });
  });

  describe(`${name}: usage`, () => {
    test('is told while an attempt runs, and only then', async () => {
      const { world, executor, told, launch } = await serve(await make());
      expect(await executor.usage(1_000_000, 10_000)).toBeUndefined();
      const attempt = launch(WAIT);
      await told.startOf(attempt);
      const seen = await waitFor(async () => {
        const usage = await executor.usage(attempt.launch_id, 10_000);
        return (usage?.processes ?? 0) > 0 && usage;
      });
      expect(seen.memory_bytes).toBeGreaterThan(0);
      expect(seen.cpu_percent).toBeGreaterThanOrEqual(0);
      world.finish(attempt);
      await told.endOf(attempt);
      await waitFor(async () => (await executor.usage(attempt.launch_id, 10_000)) === undefined);
    });

    test('is told of what was adopted', async () => {
      const world = await make();
      const first = await serve(world);
      const attempt = first.launch(WAIT);
      const { running } = await first.told.startOf(attempt);
      await first.leave();
      const { executor } = await serve(world, [adopted(attempt, { started: running })]);
      await waitFor(async () => ((await executor.usage(attempt.launch_id, 10_000))?.processes ?? 0) > 0);
    });
  });
}
