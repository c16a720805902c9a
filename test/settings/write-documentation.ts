import { writeFileSync } from 'node:fs';
import { OPERATION, operation } from './documentation.js';
import { MAN_PAGE, manPage } from '../cli/man-page.js';

// `npm run docs`: writes the table of settings into the documentation, and the man page.
writeFileSync(OPERATION, (await operation()).wanted);
writeFileSync(MAN_PAGE, await manPage());
