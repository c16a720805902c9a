import { answers, taskAnswers } from '../../task/answers.js';
import type { About } from '../specification.js';

const { CommandPage, CommandView, ErrorAnswer, ErrorBody } = answers;

/** What the specification of the task socket says beside its routes. */
export const aboutTasks: About = {
  title: 'execgo, as a task sees it',
  description: `What a task says to the daemon that runs it, and hears from it, at the Unix socket \`EXECGO_TASK_SOCKET\` of its environment.

**Who may ask.** A task is known by the token of its attempt, \`EXECGO_TASK_TOKEN\`, and reaches what is its own. Without one, and once the attempt has ended, the answer is 401. Who asks more than a hundred times
a second waits for its turn, and is refused with 429 where that would take more than a second.`,
  servers: [{ url: 'http://task', description: 'Any host will do: the socket is the address' }],
  security: [{ token: [] }],
  securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
  requests: {},
  answers: { CommandPage, CommandView, ErrorAnswer, ErrorBody, ...taskAnswers },
};
