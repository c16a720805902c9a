/** Unix milliseconds → RFC 3339 UTC with three fraction digits. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}

export function optionalTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : timestamp(ms);
}
