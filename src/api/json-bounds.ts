import { invalidInput, type ExecgoError } from '../task/errors.js';

/** Limits for a JSON text. */
export interface JsonBounds {
  bytes: number;
  /** Levels of nested objects and arrays. */
  depth: number;
  /** Keys of all objects together. */
  keys: number;
  /** Values of all kinds together, including the values of keys. */
  values: number;
}

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Measures JSON while it arrives, without parsing it: parsing deeply nested JSON or very many values takes far more time and
 * memory than its bytes suggest. Text that is no JSON is left to the parser.
 */
export class JsonMeter {
  #depth = 0;
  #keys = 0;
  #values = 1;
  #inString = false;
  #escaped = false;

  constructor(private readonly bounds: JsonBounds) {}

  /** @throws ExecgoError `invalid_input` that says which limit was passed */
  read(chunk: Buffer): void {
    // In local variables, for speed: a batch has tens of millions of bytes.
    let [depth, keys, values] = [this.#depth, this.#keys, this.#values];
    let [inString, escaped] = [this.#inString, this.#escaped];
    let deepest = depth;
    // eslint-disable-next-line @typescript-eslint/prefer-for-of -- an iterator takes ten times as long
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === COLON) keys++;
      else if (byte === COMMA) values++;
      else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        values++;
        if (++depth > deepest) deepest = depth;
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
    }
    [this.#depth, this.#keys, this.#values] = [depth, keys, values];
    [this.#inString, this.#escaped] = [inString, escaped];
    const bounds = this.bounds;
    if (deepest > bounds.depth) throw tooMany(`is nested more than ${bounds.depth} levels deep`);
    if (keys > bounds.keys) throw tooMany(`has more than ${bounds.keys} keys`);
    if (values > bounds.values) throw tooMany(`has more than ${bounds.values} values`);
  }
}

function tooMany(problem: string): ExecgoError {
  return invalidInput(`body: ${problem}`, [{ field: 'body', problem }]);
}
