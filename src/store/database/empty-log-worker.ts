import { parentPort, workerData } from 'node:worker_threads';
import { emptyLog } from './empty-log.js';

parentPort?.postMessage(emptyLog(workerData as string));
