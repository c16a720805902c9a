/**
 * Which room may know which. A room is a folder of `src/`, without the folders in it. Each may import what is listed for it,
 * itself, packages and Node; `part/**` stands for a folder with all in it. Type-only imports count as imports unless a rule says
 * otherwise. Arrows go down only: whatever is listed for a room stands above it in this table.
 */
const ROOMS = {
  files: [],
  binary: ['files'],
  'sandbox/limits': [],
  task: ['sandbox/limits'],
  webhook: ['files', 'task'],
  settings: ['task', 'webhook'],
  ledger: ['task'],
  'store/database/migrations': [],
  'store/database': ['files', 'binary', 'task', 'store/database/migrations'],
  'store/tasks': ['files', 'task', 'store', 'store/database'],
  store: ['files', 'task', 'store/**'],
  'sandbox/process': ['files', 'task'],
  'sandbox/cgroup': ['files', 'task', 'sandbox', 'sandbox/process', 'sandbox/limits'],
  'sandbox/namespaces': ['files', 'task', 'sandbox/process'],
  'sandbox/chain': [
    ...['files', 'task', 'sandbox', 'sandbox/process'],
    ...['sandbox/cgroup', 'sandbox/namespaces', 'sandbox/limits'],
  ],
  sandbox: ['files', 'task', 'sandbox/**'],
  'supervisor/wire': ['files', 'task', 'sandbox', 'supervisor'],
  'supervisor/spawn': ['files', 'task', 'sandbox/**', 'supervisor', 'supervisor/wire'],
  'supervisor/capture': ['files', 'task', 'supervisor', 'supervisor/wire'],
  'supervisor/journal': ['files', 'task', 'supervisor', 'supervisor/wire'],
  'supervisor/run': ['files', 'binary', 'task', 'sandbox/**', 'supervisor/**'],
  supervisor: ['files', 'task', 'sandbox/**', 'supervisor/**'],
  executor: ['task', 'store', 'supervisor', 'supervisor/wire'],
  'executor/local': [
    ...['files', 'binary', 'task', 'store/**', 'sandbox/**', 'executor'],
    ...['supervisor/wire', 'supervisor/journal', 'supervisor/spawn'],
  ],
  'runtime/files': ['files', 'task', 'sandbox/process'],
  'runtime/views': ['files', 'task', 'webhook', 'settings', 'store/**', 'ledger', 'runtime', 'runtime/files'],
  'runtime/output': [
    'files',
    'binary',
    'task',
    'store',
    'supervisor/wire',
    'supervisor/capture',
    'runtime',
    'runtime/files',
    'runtime/views',
  ],
  'runtime/upkeep': [
    'files',
    'binary',
    'task',
    'store/**',
    'ledger',
    'runtime',
    'runtime/files',
    'runtime/views',
    'runtime/output',
  ],
  'runtime/follow-ups': ['task', 'store', 'executor', 'webhook', 'runtime', 'runtime/notify'],
  'runtime/notify': ['files', 'task', 'webhook', 'store', 'executor', 'runtime', 'runtime/views'],
  'runtime/lifecycle': [
    'files',
    'task',
    'store',
    'sandbox',
    'ledger',
    'supervisor/wire',
    'executor',
    'runtime',
    'runtime/files',
    'runtime/views',
    'runtime/output',
    'runtime/upkeep',
    'runtime/notify',
    'runtime/follow-ups',
  ],
  'runtime/commands': ['files', 'task', 'store', 'executor', 'runtime', 'runtime/views', 'runtime/lifecycle'],
  'runtime/sessions': [
    ...['files', 'task', 'store/**', 'ledger', 'executor', 'runtime'],
    ...['runtime/files', 'runtime/views', 'runtime/lifecycle', 'runtime/output', 'runtime/upkeep'],
  ],
  'runtime/schedules': [
    'files',
    'task',
    'store',
    'executor',
    'runtime',
    'runtime/lifecycle',
    'runtime/views',
  ],
  'runtime/recovery': ['files', 'task', 'store/**', 'ledger', 'executor', 'runtime', 'runtime/lifecycle'],
  runtime: ['files', 'task', 'ledger', 'store/**', 'executor', 'runtime/**'],
  'api/routes': ['files', 'task', 'runtime', 'api'],
  'api/task-door': ['task', 'runtime', 'api'],
  api: ['files', 'sandbox/limits', 'task', 'runtime', 'runtime/output', 'api/**'],
  client: ['files', 'task'],
  'cli/commands': ['files', 'task', 'settings', 'client', 'cli'],
  cli: ['files', 'sandbox/limits', 'task', 'settings', 'client', 'cli/**'],
  'offline/checks': ['files', 'task', 'client', 'runtime/**', 'store/**', 'sandbox/**', 'supervisor/**'],
  offline: ['files', 'task', 'client', 'runtime/**', 'store/**', 'sandbox/**', 'supervisor/**', 'offline/**'],
  daemon: [
    ...[
      'files',
      'task',
      'webhook',
      'settings',
      'ledger',
      'store/**',
      'sandbox/**',
      'supervisor/**',
      'executor/**',
    ],
    ...['runtime/**', 'api/**'],
  ],
};

/** The commands that do their work in their own process know more; these rules and serve-is-lazy bound them. */
const OWN_WORK = {
  serve: '^src/daemon/(run-daemon|config)\\.ts$',
  gc: '^src/offline/gc\\.ts$',
  doctor: '^src/offline/doctor\\.ts$',
  backup: '^src/offline/backup\\.ts$',
};
const OWN_WORKERS = `^src/cli/commands/(${Object.keys(OWN_WORK).join('|')})\\.ts$`;

const filesOf = (room) =>
  room.endsWith('/**') ? `^src/${room.slice(0, -'/**'.length)}/` : `^src/${room}/[^/]+$`;
const anyOf = (rooms) => rooms.map(filesOf).join('|');

const rooms = Object.entries(ROOMS).map(([room, others]) => ({
  name: `room-${room.replaceAll('/', '-')}`,
  comment: `src/${room} may import ${others.join(', ') || 'nothing of ours'} only`,
  severity: 'error',
  from: { path: filesOf(room), pathNot: OWN_WORKERS },
  to: { path: '^(src|bin|test)/', pathNot: anyOf([room, ...others]) },
}));

const ownWork = Object.entries(OWN_WORK).map(([command, path]) => ({
  name: `own-work-${command}`,
  comment: `src/cli/commands/${command}.ts may import what a command may, and what does its work`,
  severity: 'error',
  from: { path: `^src/cli/commands/${command}\\.ts$` },
  to: {
    path: '^(src|bin|test)/',
    pathNot: `${anyOf(['cli/commands', ...ROOMS['cli/commands']])}|${path}`,
  },
}));

/** The only files of `task` that load zod; the supervisor must do without. */
const SCHEMA =
  '^src/task/(request|validate|schema|error-body|plan|view|output|runtime-view|queues|schedules|edit|sessions|session-storage|session-output|files|groups|dependencies|rerun|actions|snapshot|read-mark|commands|progress|task-event|json-value|fields|retry-schema|notify-schema|notification-view|follow-up-view|answers|group-examples|examples)\\.ts$';
/** Every file that the supervisor's process may load. */
const SMALL = '^src/(files|task|sandbox|supervisor)/';
const npm = (...names) => `(^|node_modules/)(@types/)?(${names.join('|')})(/|$)`;
const AT_RUN_TIME = { dependencyTypesNot: ['type-only'] };

module.exports = {
  forbidden: [
    ...rooms,
    ...ownWork,
    {
      name: 'every-folder-is-a-room',
      comment: 'a folder of src needs a row in the table of rooms',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: anyOf(Object.keys(ROOMS)) },
    },
    {
      name: 'bin-picks',
      comment: 'bin picks a command of src/cli or the supervisor, and nothing else',
      severity: 'error',
      from: { path: '^bin/' },
      to: { path: '^src/', pathNot: '^src/(cli/[^/]+$|supervisor/main\\.ts$)' },
    },
    {
      name: 'config-is-pure',
      comment: 'the configuration may import settings, task and ledger only',
      severity: 'error',
      from: { path: '^src/daemon/(config|read-settings)\\.ts$' },
      to: {
        path: '^(src|bin|test)/',
        pathNot: '^src/(settings|task|ledger|webhook)/|^src/daemon/read-settings\\.ts$',
      },
    },
    {
      name: 'serve-is-lazy',
      comment:
        'daemon and store are loaded by import() when they are needed, so that no other command pays for them',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/(daemon|offline)/', dynamic: false, ...AT_RUN_TIME },
    },
    {
      name: 'client-loads-no-task',
      comment:
        'client, command line and the settings it shows take types from task, which cost nothing at start-up, ids, and how durations and progress are written',
      severity: 'error',
      from: { path: '^src/(client|cli|settings)/' },
      to: { path: '^src/task/', pathNot: '^src/task/(task-id|duration|progress-text)\\.ts$', ...AT_RUN_TIME },
    },
    {
      name: 'client-loads-no-settings',
      comment: 'no command but serve loads the table of settings; the others take a default or two',
      severity: 'error',
      from: { path: '^src/(client|cli)/', pathNot: '^src/cli/commands/serve\\.ts$' },
      to: { path: '^src/settings/', pathNot: '^src/settings/defaults\\.ts$', ...AT_RUN_TIME },
    },
    {
      name: 'settings-are-light',
      comment: 'the table of settings is read for the help of serve, which is to come at once',
      severity: 'error',
      from: { path: '^src/settings/' },
      to: { pathNot: '^src/(settings|task)/', ...AT_RUN_TIME },
    },
    {
      name: 'supervisor-stays-small',
      comment: 'no SQLite, no HTTP, no schema library in what the supervisor loads',
      severity: 'error',
      from: { path: SMALL, pathNot: SCHEMA },
      to: { path: npm('better-sqlite3', 'express', 'zod'), ...AT_RUN_TIME },
    },
    {
      name: 'supervisor-loads-no-schema',
      comment: 'schemas load zod: the rest of what the supervisor may load takes their types only',
      severity: 'error',
      from: { path: SMALL, pathNot: SCHEMA },
      to: { path: SCHEMA, ...AT_RUN_TIME },
    },
    {
      name: 'supervisor-spawns-through-libc',
      comment: 'libuv and the libc launcher must not share children',
      severity: 'error',
      from: { path: '^src/supervisor/', pathNot: '^src/supervisor/spawn/execa-launcher\\.ts$' },
      to: { path: `^(node:)?child_process$|${npm('execa')}`, ...AT_RUN_TIME },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'a file that nothing imports, and that imports nothing, is dead',
      severity: 'error',
      from: { orphan: true, path: '^(src|bin)/', pathNot: '^bin/bootstrap\\.mjs$' },
      to: {},
    },
    {
      name: 'resolvable',
      comment: 'every import leads somewhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
