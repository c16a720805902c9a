import type { NamedResources } from '../task/named-resource.js';
import type { Resources } from '../task/resources.js';
import type { AllowList } from '../webhook/allow-list.js';
import { DATA_DIR, LISTEN_ADDR } from './defaults.js';
import { RETENTION_SETTINGS } from './retention-settings.js';
import { SESSION_SETTINGS } from './session-settings.js';
import type { Setting } from './setting.js';
import { WEBHOOK_SETTINGS } from './webhook-settings.js';

/**
 * The settings of `execgo serve`, all of which are defined here, those of sessions in a file of their own, and nowhere else. The command line and its help, the
 * configuration, `GET /api/v1/runtime/config` and the table in `docs/operation.md` are made from this table, in this order.
 */
export const SETTINGS = {
  listenAddr: {
    flag: '--listen-addr <host:port>',
    kind: 'text',
    default: LISTEN_ADDR,
    help: 'where to listen',
    more: '; other addresses than loopback need `--insecure`',
  },
  listenSocket: {
    flag: '--listen-socket <path>',
    kind: 'word',
    help: 'listen on a Unix socket, and on no address',
  },
  listenSocketMode: {
    flag: '--listen-socket-mode <mode>',
    kind: 'mode',
    goesWith: 'listenSocket',
    default: '0600',
    otherwise: 'this user',
    help: 'who may connect to that socket, as an octal mode',
    more: ': `0660` lets its group in, `0666` everybody',
  },
  dataDir: {
    flag: '--data-dir <path>',
    kind: 'word',
    default: DATA_DIR,
    help: 'where everything is kept',
  },
  maxRunningTasks: {
    flag: '--max-running-tasks <n>',
    kind: 'count',
    min: 1,
    default: 4,
    help: 'task slots',
  },
  maxQueuedTasks: {
    flag: '--max-queued-tasks <n>',
    kind: 'count',
    default: 100_000,
    help: 'how many tasks may wait',
    more: ': each takes about 5 KB of memory',
  },
  maxQueuedPerTenant: {
    flag: '--max-queued-per-tenant <n>',
    kind: 'count',
    default: 0,
    otherwise: 'no bound',
    help: 'how many tasks of one tenant may wait',
    more: '; those without a tenant count as those of one',
  },
  maxConnections: {
    flag: '--max-connections <n>',
    kind: 'count',
    min: 16,
    default: 2048,
    help: 'how many clients may be connected',
    more: '; no more than half the files that the daemon may open',
  },
  maxBodyBytes: {
    flag: '--max-body-bytes <n>',
    kind: 'count',
    // The limit of the largest body, that of a batch.
    min: 33_554_432,
    default: 134_217_728,
    help: 'what the bodies of all requests may hold at once',
  },
  terminationGraceMs: {
    flag: '--termination-grace-ms <n>',
    kind: 'count',
    default: 5000,
    help: 'from TERM to KILL',
    more: ', where a kill does not say',
  },
  defaultWallTimeMs: {
    flag: '--default-wall-time-ms <n>',
    kind: 'count',
    default: 300_000,
    help: 'how long a task may run whose request does not say; 0: no limit',
  },
  outputKeepBytes: {
    flag: '--output-keep-bytes <n>',
    kind: 'count',
    min: 1,
    default: 67_108_864,
    help: 'how much of each output stream is kept',
    more: ' from its start',
  },
  ...RETENTION_SETTINGS,
  ...SESSION_SETTINGS,
  dispatchPollIntervalMs: {
    flag: '--dispatch-poll-interval-ms <n>',
    kind: 'count',
    min: 1,
    default: 250,
    help: 'how often waiting tasks are looked at beyond need',
    more: ': a safety net',
  },
  starvationMs: {
    flag: '--starvation-ms <n>',
    kind: 'count',
    min: 1,
    default: 60_000,
    help: 'after this wait a task gets room held for it',
  },
  cgroupRoot: {
    flag: '--cgroup-root <path>',
    kind: 'absolute',
    default: '/sys/fs/cgroup/execgo-runtime',
    help: 'where cgroups are made',
  },
  runtimeId: {
    flag: '--runtime-id <id>',
    env: 'EXECGO_RUNTIME_ID',
    kind: 'word',
    otherwise: 'host and address',
    help: 'the name of this daemon',
  },
  defaultCapabilityMode: {
    flag: '--default-capability-mode <mode>',
    env: 'EXECGO_RUNTIME_DEFAULT_CAPABILITY_MODE',
    kind: 'choice',
    choices: ['adaptive', 'strict'],
    default: 'adaptive',
    more: ', where a request does not say: `strict` refuses what this host cannot enforce',
  },
  disableLinuxSandbox: {
    flag: '--disable-linux-sandbox',
    env: 'EXECGO_RUNTIME_DISABLE_LINUX_SANDBOX',
    kind: 'flag',
    opposite: 'linux_sandbox_enabled',
    help: 'offer no namespaces',
  },
  disableCgroup: {
    flag: '--disable-cgroup',
    env: 'EXECGO_RUNTIME_DISABLE_CGROUP',
    kind: 'flag',
    opposite: 'cgroup_enabled',
    help: 'use no cgroups',
  },
  capacityMemoryBytes: {
    flag: '--capacity-memory-bytes <n>',
    env: 'EXECGO_RUNTIME_CAPACITY_MEMORY_BYTES',
    kind: 'count',
    min: 1,
    otherwise: 'detected',
    help: 'memory to give to tasks',
  },
  capacityPids: {
    flag: '--capacity-pids <n>',
    env: 'EXECGO_RUNTIME_CAPACITY_PIDS',
    kind: 'count',
    min: 1,
    otherwise: 'detected',
    help: 'processes to give to tasks',
  },
  capacityCpuMillis: {
    flag: '--capacity-cpu-millis <n>',
    kind: 'count',
    min: 1,
    otherwise: 'detected',
    help: 'thousandths of cores to give to tasks',
  },
  capacityDiskBytes: {
    flag: '--capacity-disk-bytes <n>',
    kind: 'count',
    min: 1,
    otherwise: 'no bound',
    help: 'disk space to give to tasks',
    more: ', of which each that names `limits.disk_bytes` reserves so much',
  },
  resources: {
    flag: '--resource <resource>',
    kind: 'resource',
    repeatable: true,
    help: '`name[:VARIABLE]=ITEM,ITEM` or `name[:VARIABLE]=COUNT`: what else there is for tasks',
    more: ', such as `gpu:CUDA_VISIBLE_DEVICES=0,1` or `licence=5`',
  },
  tenantQuotas: {
    flag: '--tenant-quota <quota>',
    kind: 'quota',
    repeatable: true,
    help: '`name=slots:N[,memory:BYTES][,pids:N][,cpu:MILLIS][,disk:BYTES][,RESOURCE:N]`',
    more: ': what one tenant may have at once',
  },
  profile: {
    flag: '--profile <name>',
    kind: 'name',
    help: 'what tasks with `policy.demands.profile` ask for',
  },
  tags: {
    flag: '--tag <name>',
    kind: 'name',
    repeatable: true,
    help: 'what tasks with `policy.demands.tags` ask for',
  },
  taskUser: {
    flag: '--task-user <user>',
    kind: 'word',
    help: 'run tasks as this user, when the daemon is root',
    more: "; without it, as the daemon's own",
  },
  allowRootfs: {
    flag: '--allow-rootfs <dir>',
    kind: 'absolute',
    repeatable: true,
    help: 'a directory in or below which a task may have its root file system',
  },
  ...WEBHOOK_SETTINGS,
  launcher: {
    flag: '--launcher <launcher>',
    kind: 'choice',
    choices: ['libc', 'execa', 'auto'],
    default: 'auto',
    more: ': by what processes are started',
  },
  allowHosts: {
    flag: '--allow-host <name>',
    kind: 'text',
    repeatable: true,
    help: 'a host name by which this machine may be addressed',
  },
  insecure: {
    flag: '--insecure',
    kind: 'flag',
    help: 'listen on other addresses than loopback without asking who comes',
  },
  drain: {
    flag: '--drain',
    kind: 'flag',
    help: 'when told to stop, wait for the running tasks first',
  },
  logLevel: {
    flag: '--log-level <level>',
    kind: 'choice',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    must: 'must be a pino level, e.g. "info"',
    default: 'info',
  },
} as const satisfies Readonly<Record<string, Setting>>;

/** The settings and the names of their values, in order. */
export const settingList = Object.entries(SETTINGS) as readonly (readonly [keyof Settings, Setting])[];

type Item<S extends Setting> = S extends { kind: 'count' | 'mode' }
  ? number
  : S extends { choices: readonly (infer Word)[] }
    ? Word
    : string;

type Value<S extends Setting> = S extends { kind: 'flag' }
  ? boolean
  : S extends { kind: 'quota' }
    ? ReadonlyMap<string, Resources>
    : S extends { kind: 'hosts' }
      ? AllowList
      : S extends { kind: 'resource' }
        ? NamedResources
        : S extends { repeatable: true }
          ? readonly Item<S>[]
          : S extends { default: string | number }
            ? Item<S>
            : Item<S> | undefined;

/** The types of the settings' values. */
export type Settings = { readonly [Key in keyof typeof SETTINGS]: Value<(typeof SETTINGS)[Key]> };
