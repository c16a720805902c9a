import path from 'node:path';

/** The variables of the daemon that every task sees. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'USER'] as const;

/**
 * The variables of the daemon's environment that every task has; its request may override them. The directories that npm
 * puts at the front of PATH are removed: under `npm start` tasks would find the tools of the package that was started.
 */
export function inheritedEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own: NodeJS.ProcessEnv = { ...env, PATH: withoutNpm(env) };
  return Object.fromEntries(
    INHERITED.flatMap((name) => {
      const value = own[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/**
 * npm puts the `node_modules/.bin` of the package and of each directory above it, and then its own `node-gyp-bin`, before the
 * PATH that it was called with.
 */
function withoutNpm({ PATH, npm_package_json: manifest }: NodeJS.ProcessEnv): string | undefined {
  if (PATH === undefined || manifest === undefined) return PATH;
  const entries = PATH.split(path.delimiter);
  const bins = binsAbove(path.dirname(path.resolve(manifest)));
  let at = 0;
  while (bins.has(entries[at] ?? '')) at++;
  if (at > 0 && path.basename(entries[at] ?? '') === 'node-gyp-bin') at++;
  return entries.slice(at).join(path.delimiter);
}

function binsAbove(dir: string): Set<string> {
  const bins = new Set<string>();
  for (let at = dir; ; at = path.dirname(at)) {
    bins.add(path.join(at, 'node_modules', '.bin'));
    if (at === path.dirname(at)) return bins;
  }
}
