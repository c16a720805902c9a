import process from 'node:process';

/** The name of the one executable in dist/. */
export const BINARY = `execgo-${process.platform}-${process.arch}`;

/**
 * Paths in src/, without suffix, of the modules that commands load by import() when they need them
 * (`.dependency-cruiser.cjs`, serve-is-lazy): the daemon, and the commands that work on a data directory. Both builds keep
 * them separate from the command line.
 */
export const DAEMON_MODULES = 'daemon/(?:config|run-daemon)|offline/[\\w-]+';
