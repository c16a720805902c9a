/**
 * Makes a checkout ready to run, before `npm start` and `npm test`: installs what package-lock.json names and compiles
 * the sources to dist/, each only when needed. Needs Node and npm, nothing else; needs no network once installed.
 *
 *   node bin/bootstrap.mjs           install and build where needed
 *   node bin/bootstrap.mjs build     build in any case
 *   node bin/bootstrap.mjs binary    as without an argument, and make dist/execgo-<platform>-<arch> where needed
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lockCheckout } from './checkout-lock.mjs';
import { BINARY, DAEMON_MODULES } from './parts.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(ROOT, ...parts);
const say = (line) => process.stderr.write(`execgo: ${line}\n`);

/** An error that its reader can mend; shown as one message without a stack. */
class SetupError extends Error {}

const INSTALL_STAMP = at('node_modules', '.execgo-stamp');
const BUILD_STAMP = at('dist', '.build-stamp');
const BINARY_STAMP = at('dist', '.binary-stamp');

function checkNode() {
  const wanted = JSON.parse(readFileSync(at('package.json'), 'utf8')).engines.node;
  const [major, minor] = wanted.match(/\d+/g).map(Number);
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number);
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return;
  throw new SetupError(
    `Node ${wanted} is needed and this is ${process.versions.node}: install a newer Node and try again`,
  );
}

/** Compiled modules fit one binary interface of Node on one platform only. */
const BINARY_INTERFACE = `${process.platform}-${process.arch}-${process.versions.modules}`;

/** What an installation was made for: two lines, the binary interface and a hash of the lock file. */
const installStamp = () =>
  `${BINARY_INTERFACE}\n${createHash('sha256')
    .update(readFileSync(at('package-lock.json')))
    .digest('hex')}\n`;

/** Why `npm ci` is needed, or undefined. */
function installReason() {
  const installed = readIfThere(at('node_modules', '.package-lock.json'));
  if (installed === undefined) return 'the dependencies are not installed';
  const stamp = readIfThere(INSTALL_STAMP);
  if (stamp === installStamp()) return undefined;
  if (stamp !== undefined && !stamp.startsWith(`${BINARY_INTERFACE}\n`))
    return 'another version of Node was used before';
  return isInstalled(JSON.parse(installed).packages) ? undefined : 'package-lock.json has changed';
}

/** True when npm's own record of what it has installed names everything in the lock file, whoever ran npm. */
function isInstalled(have) {
  const want = Object.entries(JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages);
  return want.every(([path, entry]) => {
    if (path === '') return true;
    const found = have[path];
    return found === undefined
      ? entry.optional === true || entry.peer === true
      : found.version === entry.version;
  });
}

async function install(reason) {
  say(`${reason}: running npm ci (the first time may take minutes: better-sqlite3 may have to be compiled)`);
  const npm = process.env['npm_execpath'];
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const code = await (npm ? run(process.execPath, [npm, ...args]) : run('npm', args));
  if (code !== 0) throw new SetupError(`npm ci failed (exit ${code}); ${adviceAfterInstall()}`);
}

function adviceAfterInstall() {
  const missing = [
    ['a C++ compiler', ['c++', 'g++', 'clang++']],
    ['make', ['make', 'gmake']],
    ['python3', ['python3', 'python']],
  ].flatMap(([what, names]) => (names.some(onPath) ? [] : [what]));
  const tools = 'on Debian and Ubuntu: apt-get install build-essential python3';
  if (missing.length > 0)
    return `to compile better-sqlite3 this machine lacks ${missing.join(', ')} (${tools}); then try again`;
  return 'see the message of npm above, and try again once the network and the registry are there';
}

const onPath = (name) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** A hash of everything that goes into the build. Of contents and not of times, which a checkout or a copy changes. */
function sourceHash() {
  const hash = createHash('sha256');
  const files = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
  for (const folder of ['bin', 'src']) {
    for (const entry of readdirSync(at(folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) files.push(join(entry.parentPath ?? entry.path, entry.name).slice(ROOT.length));
    }
  }
  for (const file of files.sort())
    hash
      .update(`${file}\0`)
      .update(readFileSync(at(file)))
      .update('\0');
  return `${hash.digest('hex')}\n`;
}

/**
 * Compiles into a folder beside dist/ and then swaps the two, so that a failed or interrupted build leaves the old one
 * whole, and no stale file stays. Types are not checked: that is `npm run types`, and would take most of the time.
 */
async function build(hash) {
  const [next, old] = [at('dist.next'), at('dist.old')];
  rmSync(next, { recursive: true, force: true });
  const tsc = at('node_modules', 'typescript', 'bin', 'tsc');
  const code = await run(process.execPath, [
    tsc,
    '-p',
    at('tsconfig.build.json'),
    '--noCheck',
    '--outDir',
    next,
  ]);
  if (code !== 0) throw new SetupError('the sources do not compile: mend the errors above and try again');
  await bundle(next);
  writeFileSync(join(next, '.build-stamp'), hash);
  rmSync(old, { recursive: true, force: true });
  if (existsSync(at('dist'))) renameSync(at('dist'), old);
  renameSync(next, at('dist'));
  rmSync(old, { recursive: true, force: true });
}

/**
 * The programs that are started often: each becomes one file in bin/. Modules that they load later, by import(), stay
 * separate.
 */
const BUNDLES = { '../src/cli/main.js': './cli.js', '../src/supervisor/main.js': './supervisor.js' };
const APART = new RegExp(`^(?:\\.\\./)+(${DAEMON_MODULES})\\.js$`);

/**
 * Makes bin/ of the compiled sources: the entry, all commands in one file and the supervisor in another, as CommonJS.
 * `execgo status` starts in 1.3 times the time of `node -e 0` then, in 1.7 with a file per module, and in 1.4 as one ES
 * module; a supervisor takes 6 MB less.
 */
async function bundle(dist) {
  const { build: esbuild } = await import('esbuild');
  const bin = join(dist, 'bin');
  const options = { outdir: bin, platform: 'node', format: 'cjs', target: 'node20', bundle: true };
  const shared = { ...options, allowOverwrite: true, sourcemap: true, logLevel: 'warning' };
  const elsewhere = (filter, find) => ({
    name: 'elsewhere',
    setup: (build) => build.onResolve({ filter }, (from) => ({ path: find(from), external: true })),
  });
  /**
   * Code that uses its own place (`import.meta`) gets that of the original module, beside which its worker threads and the
   * package are.
   */
  const places = {
    name: 'places',
    setup: (build) =>
      build.onLoad({ filter: /\.js$/ }, ({ path }) => {
        const place = `require('node:path').join(__dirname, ${JSON.stringify(relative(bin, path))})`;
        const code = path.startsWith(dist) ? readFileSync(path, 'utf8') : '';
        if (!code.includes('import.meta.url')) return undefined;
        return {
          contents: code.replaceAll('import.meta.url', `require('node:url').pathToFileURL(${place}).href`),
        };
      }),
  };
  await esbuild({
    ...shared,
    entryPoints: { cli: join(dist, 'src/cli/main.js'), supervisor: join(dist, 'src/supervisor/main.js') },
    external: ['koffi', 'execa'],
    plugins: [elsewhere(APART, ({ path, resolveDir }) => relative(bin, join(resolveDir, path))), places],
  });
  await esbuild({
    ...shared,
    entryPoints: { execgo: join(bin, 'execgo.js') },
    // With require() in place of import(), Node does not have to start its loader of ES modules.
    supported: { 'dynamic-import': false },
    plugins: [elsewhere(/main\.js$/, ({ path }) => BUNDLES[path])],
  });
  writeFileSync(join(bin, 'package.json'), '{ "type": "commonjs" }\n');
}

/**
 * Runs a command on this terminal and waits for its end. Signals from the terminal reach the command too, so that Ctrl-C
 * leaves nothing running.
 */
function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32' && command === 'npm',
    });
    let interrupted;
    const forward = (signal) => {
      interrupted = signal;
      child.kill(signal);
    };
    process.on('SIGINT', forward).on('SIGTERM', forward);
    child.on('error', (error) => reject(new SetupError(`cannot run ${command}: ${error.message}`)));
    child.on('exit', (code) => {
      process.off('SIGINT', forward).off('SIGTERM', forward);
      if (interrupted !== undefined) process.exit(interrupted === 'SIGINT' ? 130 : 143);
      resolve(code ?? 1);
    });
  });
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const isBuilt = (hash) => readIfThere(BUILD_STAMP) === hash;

/** Whether the executable is of these sources and this Node. */
const isBinaryBuilt = (hash) =>
  readIfThere(BINARY_STAMP) === `${process.version}\n${hash}` && existsSync(at('dist', BINARY));

async function binary(hash) {
  say('making one executable in dist/ (some seconds)');
  const { buildBinary } = await import('./build-binary.mjs');
  await buildBinary(ROOT).catch((error) => {
    throw new SetupError(`no executable was made: ${error.message}`);
  });
  writeFileSync(BINARY_STAMP, `${process.version}\n${hash}`);
}

async function main() {
  checkNode();
  const forced = process.argv[2] === 'build';
  const wantsBinary = process.argv[2] === 'binary';
  const isDone = (hash) => !forced && isBuilt(hash) && (!wantsBinary || isBinaryBuilt(hash));
  if (installReason() === undefined && isDone(sourceHash())) return;

  process.chdir(ROOT);
  const release = await lockCheckout(() =>
    say('another process is setting up this checkout; waiting for it'),
  );
  try {
    const reason = installReason();
    if (reason !== undefined) await install(reason);
    writeFileSync(INSTALL_STAMP, installStamp());
    const hash = sourceHash();
    if (isDone(hash)) return;
    if (forced || !isBuilt(hash)) {
      say('compiling the sources to dist/ (some seconds)');
      await build(hash);
    }
    if (wantsBinary) await binary(hash);
  } finally {
    release();
  }
}

main().catch((error) => {
  say(error instanceof SetupError ? error.message : error.stack);
  process.exitCode = 1;
});
