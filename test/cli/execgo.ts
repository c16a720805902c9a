import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { complaintAboutPrinted } from '../harness/check-printed.js';

/** The compiled entry; the test run's global setup has built it. */
const ENTRY = fileURLToPath(new URL('../../dist/bin/execgo.js', import.meta.url));

export interface Finished {
  /** Exit code, or the name of the signal that ended it. */
  code: number | NodeJS.Signals;
  stdout: Buffer;
  stderr: string;
}

/** A command line as a real process. */
export class Execgo {
  readonly #child: ChildProcess;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  #changed: (() => void)[] = [];
  #isCut = false;
  /** Resolves when the process has ended and its output is read. Rejects when it has printed other JSON than the API answers. */
  readonly finished: Promise<Finished>;

  constructor(
    args: string[],
    options: { server?: string; input?: string; env?: Record<string, string> } = {},
  ) {
    const { EXECGO_RUNTIME_URL: _url, EXECGO_RUNTIME_OWNER: _owner, ...inherited } = process.env;
    const server = options.server === undefined ? {} : { EXECGO_RUNTIME_URL: options.server };
    this.#child = spawn(process.execPath, [ENTRY, ...args], {
      env: { ...inherited, ...server, ...options.env },
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdin?.end(options.input);
    const collect = (to: Buffer[]) => (data: Buffer) => {
      to.push(data);
      for (const changed of this.#changed.splice(0)) changed();
    };
    this.#child.stdout?.on('data', collect(this.#stdout));
    this.#child.stderr?.on('data', collect(this.#stderr));
    this.finished = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        const stderr = Buffer.concat(this.#stderr).toString();
        const result = { code: code ?? signal ?? -1, stdout: this.stdout, stderr };
        // What nobody read any more has been cut off.
        const isWhole = signal === null && !this.#isCut;
        const complaint = isWhole ? complaintAboutPrinted(args, result.stdout.toString()) : undefined;
        Promise.resolve(complaint).then((said) => {
          if (said === undefined) resolve(result);
          else reject(new Error(said));
        }, reject);
      });
    });
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  /** Resolves once standard output holds `text`. */
  async printed(text: string): Promise<void> {
    while (!this.stdout.includes(text)) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Stops reading its standard output, as `head` does. */
  closeStdout(): void {
    this.#isCut = true;
    this.#child.stdout?.destroy();
  }
}

/** Runs a command line to its end. */
export function execgo(args: string[], options?: ConstructorParameters<typeof Execgo>[1]): Promise<Finished> {
  return new Execgo(args, options).finished;
}
