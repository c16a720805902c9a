import { supervisorMain } from '../../src/supervisor/main.js';

// As the command line program does it: the first argument is the name of the command.
await supervisorMain(process.argv.slice(3));
