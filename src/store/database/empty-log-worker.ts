import { answerQuestions } from '../../binary/asked-thread.js';
import { emptyLog } from './empty-log.js';

answerQuestions(emptyLog);
