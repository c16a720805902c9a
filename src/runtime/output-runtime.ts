import { endOf, shownAttempt } from '../store/records.js';
import type { HeadTailBytes, OutputBytes, OutputStream, TaskEnd } from '../task/output.js';
import { waitForAttempt } from './lifecycle/wait.js';
import { GrowthWatch } from './output/follow.js';
import { readHeadTail } from './output/head-tail.js';
import { readRange } from './output/range.js';
import { sourceOf } from './output/read-output.js';
import type { OutputSource } from './output/source.js';
import type { OutputWatch } from './service.js';
import { taskRecord, type StatusCore } from './status.js';
import type { Core } from './core.js';

/** What the runtime does for who reads output: see the methods of `Service` of the same names. */
export abstract class OutputRuntime {
  protected abstract readonly core: Core & StatusCore;

  lastAttempt(taskId: string): number {
    return shownAttempt(taskRecord(this.core, taskId));
  }

  nextAttempt(taskId: string, attempt: number, signal: AbortSignal): Promise<number | undefined> {
    return waitForAttempt(this.core, taskId, attempt, signal);
  }

  async outputRange(
    taskId: string,
    stream: OutputStream,
    offset: number,
    limit: number,
    attempt?: number,
  ): Promise<OutputBytes> {
    return { stream, ...(await readRange(this.source(taskId, stream, attempt), offset, limit)) };
  }

  async outputView(
    taskId: string,
    stream: OutputStream,
    maxBytes: number,
    maxLines: number,
    attempt?: number,
  ): Promise<HeadTailBytes> {
    return { stream, ...(await readHeadTail(this.source(taskId, stream, attempt), maxBytes, maxLines)) };
  }

  encodeText(bytes: Buffer): Promise<Buffer> {
    return this.core.inlineTexts.encode(bytes);
  }

  watchOutput(taskId: string, stream: OutputStream, attempt: number, signal: AbortSignal): OutputWatch {
    const source = this.source(taskId, stream, attempt);
    const watch = new GrowthWatch(source);
    const wake = () => {
      watch.wake();
    };
    if (source.final) wake();
    else this.core.announcer.attemptEnd(taskId, signal).then(wake, wake);
    return watch;
  }

  ending(taskId: string): TaskEnd {
    const record = taskRecord(this.core, taskId);
    const { exit_code, exit_signal, cause } = endOf(record) ?? {};
    return { status: record.status, exit_code, exit_signal, cause };
  }

  /** @throws ExecgoError `not_found` */
  private source(taskId: string, stream: OutputStream, attempt: number | undefined): OutputSource {
    return sourceOf(this.core, taskRecord(this.core, taskId), stream, attempt);
  }
}
