import type { Log } from './log.js';
import { OutputCapture } from './output-capture.js';
import type { LaunchSpec, StreamOutcome } from './protocol.js';

/** The two streams of one launch, as far as they are kept. */
export class TaskOutput {
  readonly stdout: OutputCapture;
  readonly stderr: OutputCapture;

  constructor({ stdout, stderr }: Pick<LaunchSpec, 'stdout' | 'stderr'>) {
    this.stdout = new OutputCapture(stdout);
    this.stderr = new OutputCapture(stderr);
  }

  /** Makes the log files; one that cannot be made costs its output, not the task. */
  open(launchId: number, log: Log): void {
    for (const capture of [this.stdout, this.stderr]) {
      capture.open();
      if (capture.error !== undefined)
        log('cannot keep output', { launch_id: launchId, error: capture.error.message });
    }
  }

  close(): { stdout: StreamOutcome; stderr: StreamOutcome } {
    return { stdout: this.stdout.close(), stderr: this.stderr.close() };
  }
}
