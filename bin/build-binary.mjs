/**
 * Makes one executable of the built program: Node itself with everything of ours inside, for machines that have neither.
 * Node calls that a single executable application. Called by bootstrap.mjs.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { Script } from 'node:vm';
import { BINARY, DAEMON_MODULES } from './parts.mjs';

/** What Node looks for in its own file; the number is part of Node's documentation. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** Parts that are loaded only when one of their modules is needed, and the modules of src/ that belong to each. */
const PARTS = { supervisor: /^supervisor\/main$/, daemon: new RegExp(`^(${DAEMON_MODULES})$`) };

/** The package that has koffi's addon for this system. */
const KOFFI = `@koromix/koffi-${process.platform}-${process.arch}`;

/** Matches the start of a worker thread from a file beside the module. */
const WORKER = /startWorkerThread\(new URL\('\.\/([\w-]+\.js)'/g;

/**
 * @param root of the checkout, which must be built
 * @throws Error when this Node or this system cannot do it
 */
export async function buildBinary(root) {
  if (process.platform !== 'linux')
    throw new Error(`one executable can be built on Linux only, and this is ${process.platform}`);
  const out = join(root, 'dist.binary');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  try {
    const assets = { 'package.json': join(root, 'package.json') };
    const add = (name, contents) => {
      assets[name] = join(out, name);
      writeFileSync(assets[name], contents);
    };
    const natives = findNatives(root);
    for (const { file, name } of natives) add(name, readFileSync(file));
    await bundle(root, natives, add);
    const config = join(out, 'sea.json');
    const blob = join(out, 'sea.blob');
    const main = join(out, 'main.js');
    writeFileSync(
      config,
      JSON.stringify({
        main,
        output: blob,
        assets,
        // If NODE_OPTIONS do not fit the cache, Node prints a warning. The parts have code caches of their own.
        useCodeCache: false,
        disableExperimentalSEAWarning: true,
      }),
    );
    await quietly(process.execPath, ['--experimental-sea-config', config]);
    const executable = join(out, BINARY);
    copyFileSync(process.execPath, executable);
    chmodSync(executable, 0o755);
    const postject = createRequire(import.meta.url).resolve('postject/dist/cli.js');
    await quietly(process.execPath, [postject, executable, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE]);
    // Copied once more, because of a file that was written in one piece Linux maps half as much memory again in each
    // process.
    const copy = join(out, `${BINARY}.copy`);
    copyFileSync(executable, copy);
    renameSync(copy, join(root, 'dist', BINARY));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** The native modules that this Node loads on this machine; the packages themselves know which of their files that is. */
function findNatives(root) {
  const require = createRequire(join(root, 'package.json'));
  const Database = require('better-sqlite3');
  new Database(':memory:').close();
  require('koffi');
  return Object.keys(require.cache)
    .filter((file) => file.endsWith('.node'))
    .map((file) => ({
      file,
      name: basename(file),
      sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
    }));
}

/** Bundles the main script, the parts and the worker threads, and passes each to `add` with its name. */
async function bundle(root, natives, add) {
  const { build: esbuild } = await import('esbuild');
  const src = join(root, 'src');
  const options = {
    absWorkingDir: root,
    platform: 'node',
    format: 'cjs',
    target: `node${process.versions.node}`,
    bundle: true,
    write: false,
    // Names are kept, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: 'warning',
    // A script with a code cache cannot use import(), and no module in it has a file of its own.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '"file:///execgo"' },
  };
  const text = async (more) => (await esbuild({ ...options, ...more })).outputFiles[0].text;
  const plugins = [nativesInside(src, natives)];
  const addPart = (part, body) => {
    const source = `(function (module, exports, require, __filename) {${body}\n})`;
    add(`${part}.js`, source);
    add(`${part}.cache`, new Script(source).createCachedData());
  };

  const parts = Object.fromEntries(Object.keys(PARTS).map((part) => [part, new Set()]));
  const program = { entryPoints: [join(root, 'bin/execgo.ts')], plugins: [partsApart(src, parts)] };
  addPart('execgo', (await text(program)).replace(/^#!.*/, ''));
  add('main.js', await text({ stdin: { contents: `${load('execgo')};`, resolveDir: src } }));
  for (const [part, modules] of Object.entries(parts)) {
    const exports = [...modules].map(
      (module) => `${JSON.stringify(module)}: () => require("./${module}.js")`,
    );
    const stdin = { contents: `module.exports = { ${exports.join(', ')} };`, resolveDir: src };
    addPart(part, await text({ stdin, plugins }));
  }
  const files = readdirSync(src, { recursive: true }).filter((name) => name.endsWith('.ts'));
  const workers = new Set(files.filter((name) => name.endsWith('-worker.ts')).map((name) => basename(name)));
  for (const file of files) {
    for (const [, worker] of readFileSync(join(src, file), 'utf8').matchAll(WORKER)) {
      const source = worker.replace(/js$/, 'ts');
      add(worker, await text({ entryPoints: [join(src, file, '..', source)], plugins }));
      workers.delete(source);
    }
  }
  if (workers.size > 0)
    throw new Error(`nobody starts ${[...workers].join(', ')} by startWorkerThread(new URL('./…'`);
}

/** The call that loads a part, for code that is in src/. */
const load = (part) => `require("./binary/part.js").loadPart("${part}", require)`;

/** Replaces the look-up of native modules in `node_modules` by one in the executable. */
function nativesInside(src, natives) {
  const loading = (of) => {
    const { name, sha256 } = natives.find(({ file }) => of.test(file));
    return `require("./binary/native.js").loadNative("${name}", "${sha256}")`;
  };
  const addons = {
    bindings: `const addon = ${loading(/better_sqlite3/)}; module.exports = () => addon;`,
    [KOFFI]: `module.exports = ${loading(/koffi/)};`,
  };
  /** Loads the addon together with the package: a failure when it is first used would be mistaken for something else. */
  const first =
    (addon) =>
    ({ path }) => ({
      contents: `require("${addon}");${readFileSync(path, 'utf8')}`,
      resolveDir: dirname(path),
    });
  return {
    name: 'natives-inside',
    setup: (build) => {
      // The ES module of koffi looks for the addon in a way that esbuild cannot follow.
      build.onResolve({ filter: /^koffi$/ }, () => ({ path: createRequire(src).resolve('koffi') }));
      build.onResolve({ filter: /^(bindings$|@koromix\/koffi-)/ }, ({ path }) =>
        path in addons ? { path, namespace: 'addon' } : { path, external: true },
      );
      build.onLoad({ filter: /./, namespace: 'addon' }, ({ path }) => ({
        contents: addons[path],
        resolveDir: src,
      }));
      build.onLoad({ filter: /better-sqlite3\/lib\/index\.js$/ }, first('bindings'));
      build.onLoad({ filter: /koffi\/index\.cjs$/ }, first(KOFFI));
    },
  };
}

/**
 * Replaces each import of a module that belongs to a part by a call that loads that part, once.
 * @param parts gets the modules of each part
 */
function partsApart(src, parts) {
  return {
    name: 'parts-apart',
    setup: (build) => {
      build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, resolveDir }) => {
        const module = relative(src, join(resolveDir, path)).slice(0, -'.js'.length);
        const part = Object.keys(PARTS).find((name) => PARTS[name].test(module));
        if (part === undefined) return undefined;
        parts[part].add(module);
        return { path: module, namespace: 'module', pluginData: part };
      });
      build.onLoad({ filter: /./, namespace: 'module' }, ({ path, pluginData: part }) => ({
        contents: `module.exports = require("part:${part}")[${JSON.stringify(path)}]();`,
        resolveDir: src,
      }));
      build.onResolve({ filter: /^part:/ }, ({ path }) => ({ path: path.slice(5), namespace: 'part' }));
      build.onLoad({ filter: /./, namespace: 'part' }, ({ path }) => ({
        contents: `module.exports = ${load(path)};`,
        resolveDir: src,
      }));
    },
  };
}

/** Runs a command and shows its output only if it fails. */
async function quietly(file, args) {
  try {
    await promisify(execFile)(file, args);
  } catch (error) {
    throw new Error(`${error.message}\n${error.stdout}${error.stderr}`, { cause: error });
  }
}
