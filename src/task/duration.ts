/** Milliseconds for people: two units at most. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${String(Math.round(ms))}ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))}m${String(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${String(Math.floor(minutes / 60))}h${String(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${String(Math.floor(hours / 24))}d${String(hours % 24)}h`;
}
