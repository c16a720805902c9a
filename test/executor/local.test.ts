import { localWorld } from './local-world.js';
import { executorSuite } from './suite.js';

executorSuite('supervisors of this machine', localWorld);
