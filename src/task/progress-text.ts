/** How far a task is, for people: `40 %, 4 of 10: epoch 4`; undefined where nothing is said. */
export function progressText({ percent, done, total, message }: Record<string, unknown>): string | undefined {
  const amounts = [
    typeof percent === 'number' ? `${round(percent)} %` : undefined,
    typeof done === 'number'
      ? `${round(done)}${typeof total === 'number' ? ` of ${round(total)}` : ''}`
      : undefined,
    typeof done !== 'number' && typeof total === 'number' ? `of ${round(total)}` : undefined,
  ].filter((part) => part !== undefined);
  const words = typeof message === 'string' && message !== '' ? message : undefined;
  if (amounts.length === 0) return words;
  return words === undefined ? amounts.join(', ') : `${amounts.join(', ')}: ${words}`;
}

/** From here on a number has no digit after the point that counts. */
const WHOLE_FROM = 1e15;

/** With one digit after the point, where there is any. */
function round(amount: number): string {
  if (Math.abs(amount) >= WHOLE_FROM) return String(amount);
  return String(Math.round(amount * 10) / 10);
}
