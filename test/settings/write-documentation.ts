import { writeFileSync } from 'node:fs';
import { OPERATION, operation } from './documentation.js';

// `npm run docs`: writes the table of settings into the documentation.
writeFileSync(OPERATION, (await operation()).wanted);
