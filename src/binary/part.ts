import { getRawAsset } from 'node:sea';
import { Script } from 'node:vm';

/** A part of the program as the build wraps it: a function of what a CommonJS module is given. */
type PartFunction = (
  module: { exports: unknown },
  exports: unknown,
  require: NodeJS.Require,
  file: string,
) => void;

/**
 * Runs a part of the program that lies in the executable, with what V8 made of it when it was built; where flags of Node do
 * not fit that, it is compiled anew. The build puts a call of this in the place of an import of `supervisor/main`,
 * `run-daemon` and the like, so that a command does not pay for what it does not use.
 * @param name of the part. @param require that of the executable's main script: it knows the modules of Node
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

/** The build escapes everything beyond ASCII, so that V8 keeps one byte for each character. */
function text(asset: string): string {
  return Buffer.from(getRawAsset(asset) as ArrayBuffer).toString('latin1');
}
