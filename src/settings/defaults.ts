/** Defaults that every command of the client needs as well: they are read from here without the table that holds the rest. */

/** Where a daemon listens, and is looked for. */
export const LISTEN_ADDR = '127.0.0.1:8080';

/** Where a daemon keeps everything. */
export const DATA_DIR = 'runtime-data';
