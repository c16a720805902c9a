import { getRawAsset } from 'node:sea';
import { Script } from 'node:vm';

/** A part of the program as the build wraps it: a function with the parameters of a CommonJS module. */
type PartFunction = (
  module: { exports: unknown },
  exports: unknown,
  require: NodeJS.Require,
  file: string,
) => void;

/**
 * Runs a part of the program that is inside the executable, with the code cache that V8 made when it was built; if flags of
 * Node do not fit that cache, the part is compiled anew. The build replaces imports of `supervisor/main`, `run-daemon` and
 * so on by a call of this, so that a command does not load what it does not use.
 * @param name of the part. @param require that of the executable's main script, which knows Node's own modules
 * @returns what the part exports
 */
export function loadPart(name: string, require: NodeJS.Require): unknown {
  const file = `${name}.js`;
  const script = new Script(text(file), {
    filename: `execgo/${file}`,
    cachedData: Buffer.from(getRawAsset(`${name}.cache`) as ArrayBuffer),
  });
  const part = { exports: {} };
  (script.runInThisContext() as PartFunction)(part, part.exports, require, process.execPath);
  return part.exports;
}

/** The build escapes all characters beyond ASCII, so that V8 needs one byte for each character. */
function text(asset: string): string {
  return Buffer.from(getRawAsset(asset) as ArrayBuffer).toString('latin1');
}
