import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What is only needed to compile better-sqlite3, and takes most of its size. */
const COMPILING = ['build/Release/obj*', 'build/deps', 'deps'];
/** Longer than any package of ours, in bytes. */
const MAX_TARBALL = 1e8;

interface Manifest {
  name: string;
  version: string;
}

/**
 * A registry with nothing but what this checkout has installed for running, compiled as it is there: with it npm installs a
 * package and its dependencies without a network.
 * @param root of the checkout
 */
export async function startRegistry(root: string): Promise<{ url: string; close: () => void }> {
  const packages = runtimePackages(root);
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    answer(path, response).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  async function answer(path: string, response: ServerResponse): Promise<void> {
    const dir = packages.get(path);
    if (dir !== undefined) {
      response.end(await tarballOf(dir));
      return;
    }
    const versions = [...packages].filter(([key]) => key.startsWith(`${path}/-/`));
    if (versions.length === 0) response.writeHead(404);
    response.end(JSON.stringify(describe(versions, url)));
  }
  return {
    url,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The directory of each installed package that is not for development only, by the path of its tarball. */
function runtimePackages(root: string): Map<string, string> {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  const dirs = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path]) => join(root, path))
    // Packages for other systems are in the lock file only.
    .filter((dir) => existsSync(dir));
  return new Map(
    dirs.map((dir) => {
      const { name, version } = manifestOf(dir);
      return [`${name}/-/${version}.tgz`, dir];
    }),
  );
}

/** What a registry says about one package. */
function describe(versions: readonly (readonly [string, string])[], url: string): object {
  const manifests = versions.map(([path, dir]) => ({ ...manifestOf(dir), dist: { tarball: url + path } }));
  return {
    name: manifests[0]?.name,
    'dist-tags': { latest: manifests.at(-1)?.version },
    versions: Object.fromEntries(manifests.map((manifest) => [manifest.version, manifest])),
  };
}

const manifestOf = (dir: string) => JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest;

async function tarballOf(dir: string): Promise<Buffer> {
  const without = ['node_modules', ...COMPILING].map((name) => `--exclude=./${name}`);
  const args = [...without, '--transform', 's,^[.],package,', '-C', dir, '-czf', '-', '.'];
  const options = { encoding: 'buffer', maxBuffer: MAX_TARBALL } as const;
  return (await promisify(execFile)('tar', args, options)).stdout;
}
