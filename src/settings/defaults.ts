/** Defaults that client commands need too; from here they can be read without loading the whole table. */

/** The address on which a daemon listens, and at which clients look for it. */
export const LISTEN_ADDR = '127.0.0.1:8080';

/** The data directory. */
export const DATA_DIR = 'runtime-data';
