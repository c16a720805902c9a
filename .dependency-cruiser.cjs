/**
 * Which part may know which. A part may import what is listed for it, itself, packages and Node; type-only imports count
 * as imports unless a rule says otherwise.
 */
const MAY_IMPORT = {
  files: [],
  binary: ['files'],
  task: [],
  ledger: ['task'],
  store: ['files', 'binary', 'task'],
  sandbox: ['files', 'task'],
  supervisor: ['files', 'binary', 'task', 'sandbox'],
  runtime: ['files', 'binary', 'task', 'ledger', 'store', 'sandbox', 'supervisor'],
  api: ['files', 'runtime', 'task'],
  client: ['files', 'task'],
  cli: ['files', 'client', 'task'],
  offline: ['files', 'client', 'runtime', 'task', 'store', 'sandbox', 'supervisor'],
};

const layers = Object.entries(MAY_IMPORT).map(([part, others]) => ({
  name: `layers-${part}`,
  comment: `src/${part} may import ${others.join(', ') || 'nothing of ours'} only`,
  severity: 'error',
  // The commands that do their work in their own process are the exceptions; layers-serve, layers-offline-commands and
  // serve-is-lazy bound them.
  from: { path: `^src/${part}/`, pathNot: '^src/cli/(serve|gc|doctor|backup)\\.ts$' },
  to: { path: '^(src|bin|test)/', pathNot: `^src/(${[part, ...others].join('|')})/` },
}));

/** The only files of `task` that load zod; the supervisor must do without. */
const SCHEMA = '^src/task/(request|validate)\\.ts$';
/** Every file that the supervisor's process may load. */
const SMALL = '^src/(files|binary|task|sandbox|supervisor)/';
const npm = (...names) => `(^|node_modules/)(@types/)?(${names.join('|')})(/|$)`;
const AT_RUN_TIME = { dependencyTypesNot: ['type-only'] };

module.exports = {
  forbidden: [
    ...layers,
    {
      name: 'layers-bin',
      comment: 'bin picks a command of src/cli or the supervisor, and nothing else',
      severity: 'error',
      from: { path: '^bin/' },
      to: { path: '^src/', pathNot: '^src/(cli/|supervisor/main\\.ts$)' },
    },
    {
      name: 'layers-config',
      comment: 'src/config.ts may import task and ledger only',
      severity: 'error',
      from: { path: '^src/config\\.ts$' },
      to: { path: '^(src|bin|test)/', pathNot: '^src/(task|ledger)/' },
    },
    {
      name: 'layers-serve',
      comment: 'src/cli/serve.ts may import what a command may, and what reads the flags and runs the daemon',
      severity: 'error',
      from: { path: '^src/cli/serve\\.ts$' },
      to: {
        path: '^(src|bin|test)/',
        pathNot: '^src/((files|cli|client|task)/|(run-daemon|daemon|config)\\.ts$)',
      },
    },
    {
      name: 'layers-offline-commands',
      comment: 'the commands that work on a data directory may import what a command may, and src/offline',
      severity: 'error',
      from: { path: '^src/cli/(gc|doctor|backup)\\.ts$' },
      to: { path: '^(src|bin|test)/', pathNot: '^src/(files|cli|client|task|offline)/' },
    },
    {
      name: 'serve-is-lazy',
      comment:
        'daemon and store are loaded by import() when they are needed, so that no other command pays for them',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/((run-daemon|daemon|config)\\.ts$|offline/)', dynamic: false, ...AT_RUN_TIME },
    },
    {
      name: 'client-loads-no-task',
      comment: 'client and command line take types from task, which cost nothing at start-up',
      severity: 'error',
      from: { path: '^src/(client|cli)/' },
      to: { path: '^src/task/', ...AT_RUN_TIME },
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
      comment:
        'request and validate load zod: the rest of what the supervisor may load takes their types only',
      severity: 'error',
      from: { path: SMALL, pathNot: SCHEMA },
      to: { path: SCHEMA, ...AT_RUN_TIME },
    },
    {
      name: 'supervisor-spawns-through-libc',
      comment: 'libuv and the libc launcher must not share children',
      severity: 'error',
      from: { path: '^src/supervisor/', pathNot: '^src/supervisor/(execa-launcher|start)\\.ts$' },
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
