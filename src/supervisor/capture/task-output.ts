import { dirname } from 'node:path';
import type { Directory } from '../../files/directory.js';
import type { Log } from '../log.js';
import { OutputCapture } from './output-capture.js';
import { inTaskDirectory } from './output-file.js';
import type { LaunchSpec, StreamOutcome } from '../wire/protocol.js';

/** The two output streams of one attempt, as far as they are kept. */
export class TaskOutput {
  readonly stdout: OutputCapture;
  readonly stderr: OutputCapture;

  readonly #paths: readonly [stdout: string, stderr: string];

  constructor({ stdout, stderr }: Pick<LaunchSpec, 'stdout' | 'stderr'>) {
    this.#paths = [stdout.path, stderr.path];
    this.stdout = new OutputCapture(stdout);
    this.stderr = new OutputCapture(stderr);
  }

  /** Makes the log files. If one cannot be made, its output is not kept, and the task runs all the same. */
  open(launchId: number, log: Log): void {
    this.#makeFiles();
    for (const capture of [this.stdout, this.stderr]) {
      if (capture.error !== undefined)
        log('cannot keep output', { launch_id: launchId, error: capture.error.message });
    }
  }

  #makeFiles(): void {
    const make = (directory?: Directory) => {
      this.stdout.open(directory);
      this.stderr.open(directory);
    };
    const [stdout, stderr] = this.#paths;
    if (dirname(stdout) !== dirname(stderr)) {
      make();
      return;
    }
    try {
      inTaskDirectory(stdout, make);
    } catch {
      // Each says for itself that there is no way to it.
      make();
    }
  }

  close(): { stdout: StreamOutcome; stderr: StreamOutcome } {
    return { stdout: this.stdout.close(), stderr: this.stderr.close() };
  }
}
