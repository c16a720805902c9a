/** Our own JSON is never nested more deeply; writing deeper JSON again could overflow the stack. */
const MAX_DEPTH = 200;

/** The value of a JSON column; null when the column is empty or damaged. */
export function parseJson(text: string | null): unknown {
  if (text === null || isDeep(text)) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The JSON for a column; null, an empty column, when there is no value. */
export function jsonOrNull(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

/** Counts the open brackets outside of strings. */
function isDeep(text: string): boolean {
  if (text.length < 2 * MAX_DEPTH) return false;
  let [depth, isText] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) isText = !isText;
    else if (isText) i += code === 0x5c ? 1 : 0;
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}
