import { EventEmitter, once } from 'node:events';
import type { EndedTask } from '../store/records.js';
import type { TaskEvent } from '../task/events.js';
import type { LiveTask } from './live-tasks.js';

/** Tells waiting requests, after a commit, that something happened. Keeps no history: they read the store. */
export class Announcer {
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  /** To be called after the commit that wrote `events`. */
  events(events: readonly TaskEvent[]): void {
    if (events.length > 0) this.emitter.emit('events');
  }

  /** To be called after the commit that made the task terminal, or deleted it. @param task as it has ended, if that is known */
  ended(taskId: string, task?: EndedTask): void {
    this.emitter.emit(`ended:${taskId}`, task);
    this.emitter.emit(`attempt:${taskId}`);
    this.emitter.emit('ended', taskId);
  }

  /** To be called after the commit by which a task, whose attempt has failed, waits for another one. */
  retried(taskId: string): void {
    this.emitter.emit(`attempt:${taskId}`);
    this.emitter.emit('retried', taskId);
  }

  /** Calls back after every call of {@link retried}. */
  onAnyRetry(listener: (taskId: string) => void): void {
    this.emitter.on('retried', listener);
  }

  /** @returns a promise of the end of the task's attempt, whether another follows or not; rejects when `signal` aborts. */
  attemptEnd(taskId: string, signal: AbortSignal): Promise<unknown> {
    return once(this.emitter, `attempt:${taskId}`, { signal });
  }

  /** To be called after the commit that made a task of a group terminal. @param group as `task-sets.ts` names it */
  memberEnded(group: string, task: LiveTask): void {
    this.emitter.emit(`group:${group}`);
    this.emitter.emit('group', task);
  }

  /** Calls back after the end of every task of a group. */
  onMemberEnd(listener: (task: LiveTask) => void): void {
    this.emitter.on('group', listener);
  }

  /** @returns a promise of the next end in that group; rejects when `signal` aborts. */
  memberEnd(group: string, signal: AbortSignal): Promise<unknown> {
    return once(this.emitter, `group:${group}`, { signal });
  }

  /** Calls back after every end, when its share of the ledger is free. */
  onAnyEnd(listener: (taskId: string) => void): void {
    this.emitter.on('ended', listener);
  }

  /** To be called after the commit that recorded that the task's process runs. */
  started(taskId: string): void {
    this.emitter.emit(`started:${taskId}`);
  }

  /** @returns a promise of the task's recorded start; rejects when `signal` aborts. */
  taskStart(taskId: string, signal: AbortSignal): Promise<unknown> {
    return once(this.emitter, `started:${taskId}`, { signal });
  }

  /** To be called when the task's place has told that it stands still, or goes on. */
  turned(taskId: string): void {
    this.emitter.emit(`turned:${taskId}`);
  }

  /** @returns a promise of the next call of {@link turned} for the task; rejects when `signal` aborts. */
  taskTurn(taskId: string, signal: AbortSignal): Promise<unknown> {
    return once(this.emitter, `turned:${taskId}`, { signal });
  }

  /** To be called after the commit that added or changed a command of the task. */
  commandChanged(taskId: string): void {
    this.emitter.emit(`command:${taskId}`);
  }

  /** @returns a promise of the next call of {@link commandChanged} for the task; rejects when `signal` aborts. */
  commandChange(taskId: string, signal: AbortSignal): Promise<unknown> {
    return once(this.emitter, `command:${taskId}`, { signal });
  }

  /** @returns a promise of the next committed event; rejects when `signal` aborts. */
  nextEvent(signal: AbortSignal): Promise<unknown> {
    return once(this.emitter, 'events', { signal });
  }

  /** @returns a promise of the task's end; rejects when `signal` aborts. */
  taskEnd(taskId: string, signal: AbortSignal): Promise<unknown> {
    return once(this.emitter, `ended:${taskId}`, { signal });
  }

  /** Calls back once, at the task's end. @returns what takes that back */
  onEnd(taskId: string, listener: (task: EndedTask | undefined) => void): () => void {
    const name = `ended:${taskId}`;
    this.emitter.once(name, listener);
    return () => this.emitter.off(name, listener);
  }
}
