import process from 'node:process';

/** The name of the one executable in dist/. */
export const BINARY = `execgo-${process.platform}-${process.arch}`;

/**
 * Paths in src/, without suffix, of what commands load by import() when they need it (`.dependency-cruiser.cjs`, serve-is-lazy):
 * the daemon and what works on a data directory. Both builds keep them apart from the command line.
 */
export const DAEMON_MODULES = 'daemon/(?:config|run-daemon)|offline/[\\w-]+';
