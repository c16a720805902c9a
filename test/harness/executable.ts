import { fileURLToPath } from 'node:url';

/** The built command line, run with the Node that runs the tests. */
export const EXECUTABLE = fileURLToPath(new URL('../../dist/bin/execgo.js', import.meta.url));
