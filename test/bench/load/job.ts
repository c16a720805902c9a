/** What the load client does at once; it is a message to its process. */
export type LoadJob = Send | SubmitAndWait;

interface Shared {
  port: number;
  connections: number;
  count: number;
}

/** `count` requests, taken in turn from `requests`. */
export interface Send extends Shared {
  kind: 'send';
  requests: readonly Request[];
  /** One request every so many milliseconds whether or not the last was answered, as far as there are connections; as fast as it goes without. */
  everyMs?: number;
  /** Afterwards wait until the daemon has nothing running and nothing waiting. */
  untilIdle?: boolean;
}

/** Each connection submits a task and waits for its end before it submits the next. */
export interface SubmitAndWait extends Shared {
  kind: 'submit-and-wait';
  task: object;
}

export interface Request {
  method: string;
  path: string;
  body?: string;
}

export interface LoadResult {
  /** From the first request to the last answer, or until idle, in milliseconds. */
  ms: number;
  /** From the first request to the last answer. */
  answeredMs: number;
  /** Of each request, or each task, in milliseconds; a request that had to wait for a connection was late by that. */
  latencies: number[];
  /** Processor time of the load client for this job, in milliseconds. */
  cpuMs: number;
}
