import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { parseTenantQuota } from '../ledger/tenant-quota.js';
import type { Resources } from '../task/resources.js';
import { invalidInput } from '../task/errors.js';

/** Everything the daemon is told, checked and frozen. Milliseconds and bytes; an absent capacity is detected. */
export interface Config {
  /** `host:port`, or `unix:/path` where there is a {@link listenSocket}. */
  readonly listenAddr: string;
  /** A Unix socket to listen on in the place of an address; absolute. */
  readonly listenSocket: string | undefined;
  /** Rights on it: whose group and others may connect. */
  readonly listenSocketMode: number;
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly dataDir: string;
  readonly maxRunningTasks: number;
  readonly maxQueuedTasks: number;
  /** Most connections, and bytes of request bodies, held at once. */
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  readonly terminationGraceMs: number;
  /** 0: none. */
  readonly defaultWallTimeMs: number;
  readonly outputKeepBytes: number;
  readonly resultRetentionSecs: number;
  readonly idempotencyRetentionSecs: number;
  readonly gcIntervalMs: number;
  /** 0: no bound; so is {@link retainMaxBytes}. */
  readonly retainMaxTasks: number;
  readonly retainMaxBytes: number;
  readonly dispatchPollIntervalMs: number;
  readonly starvationMs: number;
  readonly cgroupRoot: string;
  readonly runtimeId: string;
  /** The runtime id of a daemon that really listens there: the same where it was given. */
  readonly runtimeIdAt: (listenAddr: string) => string;
  readonly defaultCapabilityMode: 'adaptive' | 'strict';
  readonly disableLinuxSandbox: boolean;
  readonly disableCgroup: boolean;
  readonly capacityMemoryBytes: number | undefined;
  readonly capacityPids: number | undefined;
  readonly capacityCpuMillis: number | undefined;
  readonly tenantQuotas: ReadonlyMap<string, Resources>;
  readonly drain: boolean;
  readonly insecure: boolean;
  readonly allowHosts: readonly string[];
  readonly logLevel: string;
  readonly launcher: 'libc' | 'execa' | 'auto';
  readonly taskUser: string | undefined;
  /** Absolute and normalized. */
  readonly allowRootfs: readonly string[];
  readonly profile: string | undefined;
  readonly tags: readonly string[];
}

const count = z
  .string()
  .regex(/^\d+$/, 'must be a whole number')
  .transform(Number)
  .pipe(z.number().max(Number.MAX_SAFE_INTEGER, 'must be at most 2^53-1'));
const atLeastOne = count.refine((n) => n >= 1, 'must be at least 1');
/** A flag, or an environment variable with one of the words people use for a flag. */
const flag = z.union([z.boolean(), z.stringbool()], 'must be one of 1, true, yes, on, 0, false, no, off');
const strings = z.union([z.array(z.string()), z.string().transform((s) => [s])]);

/** Rights on a socket: its owner may connect, and whoever else may write. */
const socketMode = z
  .string()
  .regex(/^0?6[0246]{2}$/, 'must be an octal mode from 0600 to 0666, e.g. 0660')
  .transform((text) => parseInt(text, 8));

/** The largest body there may be, that of a batch. */
const BATCH_BYTES = 33_554_432;

const FLAGS = {
  listenAddr: z.string().default('127.0.0.1:8080'),
  listenSocket: z.string().min(1, 'must not be empty').optional(),
  listenSocketMode: socketMode.default(0o600),
  dataDir: z.string().min(1, 'must not be empty').default('runtime-data'),
  maxRunningTasks: atLeastOne.default(4),
  maxQueuedTasks: count.default(128),
  maxConnections: count.refine((n) => n >= 16, 'must be at least 16').default(2048),
  maxBodyBytes: count.refine((n) => n >= BATCH_BYTES, `must be at least ${BATCH_BYTES}`).default(134_217_728),
  terminationGraceMs: count.default(5000),
  defaultWallTimeMs: count.default(300_000),
  outputKeepBytes: atLeastOne.default(67_108_864),
  resultRetentionSecs: count.default(604_800),
  idempotencyRetentionSecs: atLeastOne.default(2_592_000),
  gcIntervalMs: atLeastOne.default(1000),
  retainMaxTasks: count.default(0),
  retainMaxBytes: count.default(0),
  dispatchPollIntervalMs: atLeastOne.default(250),
  starvationMs: atLeastOne.default(60_000),
  cgroupRoot: z.string().startsWith('/', 'must be an absolute path').default('/sys/fs/cgroup/execgo-runtime'),
  runtimeId: z.string().min(1, 'must not be empty').optional(),
  defaultCapabilityMode: z.enum(['adaptive', 'strict'], 'must be "adaptive" or "strict"').default('adaptive'),
  disableLinuxSandbox: flag.default(false),
  disableCgroup: flag.default(false),
  capacityMemoryBytes: atLeastOne.optional(),
  capacityPids: atLeastOne.optional(),
  capacityCpuMillis: atLeastOne.optional(),
  tenantQuota: strings.default([]),
  drain: flag.default(false),
  insecure: flag.default(false),
  allowHost: strings.default([]),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'must be a pino level, e.g. "info"')
    .default('info'),
  launcher: z.enum(['libc', 'execa', 'auto'], 'must be "libc", "execa" or "auto"').default('auto'),
  taskUser: z.string().min(1, 'must not be empty').optional(),
  allowRootfs: z
    .array(
      z
        .string()
        .startsWith('/', 'must be an absolute path')
        .transform((dir) => path.resolve(dir)),
    )
    .default([]),
  profile: z.string().trim().min(1, 'must not be empty').optional(),
  tag: z.array(z.string().trim().min(1, 'must not be empty')).default([]),
} as const;

/** Environment variables that stand in for a flag that was not given. */
const ENVIRONMENT: Partial<Record<keyof typeof FLAGS, string>> = {
  runtimeId: 'EXECGO_RUNTIME_ID',
  defaultCapabilityMode: 'EXECGO_RUNTIME_DEFAULT_CAPABILITY_MODE',
  disableLinuxSandbox: 'EXECGO_RUNTIME_DISABLE_LINUX_SANDBOX',
  disableCgroup: 'EXECGO_RUNTIME_DISABLE_CGROUP',
  capacityMemoryBytes: 'EXECGO_RUNTIME_CAPACITY_MEMORY_BYTES',
  capacityPids: 'EXECGO_RUNTIME_CAPACITY_PIDS',
};

const kebab = (key: string) => `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

/**
 * Flags and environment → one frozen value.
 * @param flags by their camel-case names, as commander gives them
 * @throws ExecgoError `invalid_input` that names the flag or variable and what it must be
 */
export function loadConfig(
  flags: Record<string, unknown>,
  env: NodeJS.ProcessEnv,
  hostname: string = env['HOSTNAME'] ?? os.hostname(),
): Config {
  const read = <K extends keyof typeof FLAGS>(key: K): z.output<(typeof FLAGS)[K]> => {
    const variable = ENVIRONMENT[key];
    const fromEnv = variable === undefined ? undefined : env[variable];
    const given = flags[key] ?? (fromEnv === '' ? undefined : fromEnv);
    const parsed = (FLAGS[key] as unknown as z.ZodType<z.output<(typeof FLAGS)[K]>>).safeParse(given);
    if (parsed.success) return parsed.data;
    const where = flags[key] === undefined && variable !== undefined ? variable : kebab(key);
    throw invalidInput(
      `${where} ${parsed.error.issues[0]?.message ?? 'is not valid'}, not ${JSON.stringify(given)}`,
    );
  };
  const listenSocket = socketPath(read('listenSocket'));
  if (listenSocket !== undefined && flags['listenAddr'] !== undefined)
    throw invalidInput('give --listen-addr or --listen-socket, not both');
  if (listenSocket === undefined && flags['listenSocketMode'] !== undefined)
    throw invalidInput('--listen-socket-mode goes with --listen-socket, which names the socket');
  const address = read('listenAddr');
  const { host, port } = parseListenAddr(address);
  const listenAddr = listenSocket === undefined ? address : `unix:${listenSocket}`;
  const given = read('runtimeId');
  const runtimeIdAt = (at: string) => given ?? `${hostname}-${at}`.replace(/[^A-Za-z0-9._-]/g, '-');
  const insecure = read('insecure');
  if (!isLoopback(host) && !insecure)
    throw invalidInput(
      `--listen-addr ${listenAddr} can be reached from other machines, and nothing would ask them who they are; ` +
        'listen on 127.0.0.1, or add --insecure if everybody on that network may run commands here',
    );
  return Object.freeze({
    listenAddr,
    listenSocket,
    listenSocketMode: read('listenSocketMode'),
    host,
    port,
    dataDir: path.resolve(read('dataDir')),
    maxRunningTasks: read('maxRunningTasks'),
    maxQueuedTasks: read('maxQueuedTasks'),
    maxConnections: read('maxConnections'),
    maxBodyBytes: read('maxBodyBytes'),
    terminationGraceMs: read('terminationGraceMs'),
    defaultWallTimeMs: read('defaultWallTimeMs'),
    outputKeepBytes: read('outputKeepBytes'),
    resultRetentionSecs: read('resultRetentionSecs'),
    idempotencyRetentionSecs: read('idempotencyRetentionSecs'),
    gcIntervalMs: read('gcIntervalMs'),
    retainMaxTasks: read('retainMaxTasks'),
    retainMaxBytes: read('retainMaxBytes'),
    dispatchPollIntervalMs: read('dispatchPollIntervalMs'),
    starvationMs: read('starvationMs'),
    cgroupRoot: read('cgroupRoot'),
    runtimeId: runtimeIdAt(listenAddr),
    runtimeIdAt,
    defaultCapabilityMode: read('defaultCapabilityMode'),
    disableLinuxSandbox: read('disableLinuxSandbox'),
    disableCgroup: read('disableCgroup'),
    capacityMemoryBytes: read('capacityMemoryBytes'),
    capacityPids: read('capacityPids'),
    capacityCpuMillis: read('capacityCpuMillis'),
    tenantQuotas: tenantQuotas(read('tenantQuota')),
    drain: read('drain'),
    insecure,
    allowHosts: Object.freeze(read('allowHost')),
    logLevel: read('logLevel'),
    launcher: read('launcher'),
    taskUser: read('taskUser'),
    allowRootfs: Object.freeze(read('allowRootfs')),
    profile: read('profile'),
    tags: Object.freeze(read('tag')),
  });
}

/** What the kernel takes for the path of a socket, in bytes, without the final NUL; less elsewhere than on Linux. */
const SOCKET_PATH_MAX = process.platform === 'linux' ? 107 : 103;

/** @throws ExecgoError `invalid_input` for a path that the kernel would cut off */
function socketPath(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const absolute = path.resolve(given);
  if (Buffer.byteLength(absolute) > SOCKET_PATH_MAX)
    throw invalidInput(
      `--listen-socket ${absolute} is longer than the ${SOCKET_PATH_MAX} bytes that the path of a socket may have: choose a shorter one`,
    );
  return absolute;
}

function tenantQuotas(texts: string[]): ReadonlyMap<string, Resources> {
  return new Map(
    texts.map((text) => {
      try {
        const { tenant, quota } = parseTenantQuota(text);
        return [tenant, quota];
      } catch (error) {
        throw invalidInput(`--tenant-quota: ${error instanceof Error ? error.message : String(error)}`);
      }
    }),
  );
}

/**
 * `127.0.0.1:8080`, `localhost:0`, `[::1]:8080` → host and port.
 * @throws ExecgoError `invalid_input`
 */
function parseListenAddr(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535)
    throw invalidInput(
      `--listen-addr must be HOST:PORT, for example 127.0.0.1:8080, not ${JSON.stringify(text)}`,
    );
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
