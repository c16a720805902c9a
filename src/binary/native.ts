import fs from 'node:fs';
import os from 'node:os';
import { getRawAsset } from 'node:sea';
import { nativePlaces, PLACE_VARIABLE } from './native-places.js';
import { unpack } from './unpack.js';

/**
 * Loads a native module that lies in the executable: it has to be a file for the system's loader. The build puts a call of
 * this in the place of what looks for that file in `node_modules`.
 * @param name of the asset. @param sha256 of its contents
 * @returns what the module exports
 * @throws Error that names every place that was tried, and why it does not serve
 */
export function loadNative(name: string, sha256: string): unknown {
  const uid = process.geteuid?.() ?? 0;
  const places = nativePlaces({ env: process.env, uid, home: os.homedir(), tmp: os.tmpdir() });
  const contents = { name, sha256, read: () => Buffer.from(getRawAsset(name) as ArrayBuffer) };
  const problems: string[] = [];
  for (const place of places) {
    try {
      const { fd, path } = unpack(place, contents, uid);
      return load(fd, path);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      problems.push(`${place}: ${why.replace(/\.$/, '')}`);
    }
  }
  throw new Error(
    `cannot unpack and load ${name}, which is part of this program; ${problems.join('; ')}. ` +
      `Name a directory of this user's in ${PLACE_VARIABLE}, on a file system that is writable and not mounted noexec`,
  );
}

/**
 * Loads what is behind the descriptor, which is what was verified. It stays open: the loader takes two files that are
 * loaded under one name for the same, and the number of a closed descriptor is given out again.
 */
function load(fd: number, path: string): unknown {
  const module = { exports: {} };
  const byDescriptor = `/proc/self/fd/${fd}`;
  try {
    process.dlopen(module, fs.existsSync(byDescriptor) ? byDescriptor : path);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  return module.exports;
}
