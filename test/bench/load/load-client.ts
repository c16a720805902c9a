import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadJob, LoadResult } from './job.js';

const PROCESS = fileURLToPath(new URL('load-process.ts', import.meta.url));

/** Sends requests from a process of its own. One job at a time. */
export class LoadClient {
  readonly #child: ChildProcess = fork(PROCESS, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });

  /** @throws Error when an answer is not 200 or a connection breaks */
  async run(job: LoadJob): Promise<LoadResult> {
    const ended = new AbortController();
    const gone = () => ended.abort(new Error('the load client ended'));
    this.#child.once('exit', gone);
    try {
      const answer = once(this.#child, 'message', { signal: ended.signal });
      this.#child.send(job);
      const [{ result, error }] = (await answer) as [{ result?: LoadResult; error?: string }];
      if (result === undefined) throw new Error(`the load client failed: ${error}`);
      return result;
    } finally {
      this.#child.off('exit', gone);
    }
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Runs `action` with a load client, and ends that afterwards. */
export async function withLoadClient<T>(action: (client: LoadClient) => Promise<T>): Promise<T> {
  const client = new LoadClient();
  try {
    return await action(client);
  } finally {
    client.close();
  }
}
