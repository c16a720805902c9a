import fs from 'node:fs';
import os from 'node:os';
import { getRawAsset } from 'node:sea';
import { nativePlaces, PLACE_VARIABLE } from './native-places.js';
import { unpack } from './unpack.js';
import { messageOf } from '../files/errno.js';

/**
 * Loads a native module that is inside the executable: the system's loader needs a file. The build replaces the code that
 * looks for that file in `node_modules` by a call of this.
 * @param name of the asset. @param sha256 of its contents
 * @returns what the module exports
 * @throws Error that names every directory that was tried, and why it cannot be used
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
      problems.push(`${place}: ${messageOf(error).replace(/\.$/, '')}`);
    }
  }
  throw new Error(
    `cannot unpack and load ${name}, which is part of this program; ${problems.join('; ')}. ` +
      `Name a directory of this user's in ${PLACE_VARIABLE}, on a file system that is writable and not mounted noexec`,
  );
}

/**
 * Loads the file behind the descriptor, which is the one that was verified. The descriptor stays open: its number is part of
 * the file's name for the loader, which would take a second file with the same name for the first one.
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
