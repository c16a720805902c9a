import { taskRoutes } from '../../src/api/task-door/routes.js';
import { answers, taskAnswers } from '../../src/task/answers.js';
import type { TaskView } from '../../src/client/index.js';
import { http, script, submit, waitFor, type Answer } from '../harness/index.js';

/** As much of a daemon as is needed to talk to its tasks. */
interface Served {
  url: string;
}

/** A task that has told where it talks to the daemon, and by what it is known. */
export interface Talker {
  id: string;
  socket: string;
  token: string;
  /** Asks as the task does. */
  ask: (method: string, path: string, body?: unknown) => Promise<Answer<any>>; // eslint-disable-line @typescript-eslint/no-explicit-any -- as in the harness
}

/** Asks at a task socket, with this token. What is answered is held to its schema. */
export function asker(socket: string, token: string): Talker['ask'] {
  return async (method, path, body) => {
    const answer = await http(`unix:${socket}`).request(method, path, {
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body }),
    });
    const name = answer.status === 200 ? answerOf(method, path) : 'ErrorAnswer';
    const schema = name && { ...answers, ...taskAnswers }[name];
    if (method !== 'HEAD' && schema !== undefined) schema.parse(answer.body);
    return answer;
  };
}

function answerOf(method: string, path: string) {
  const [asked = ''] = path.split('?');
  const route = taskRoutes.find(
    (each) =>
      each.method === method.toLowerCase() &&
      new RegExp(`^${each.path.replace(':seq', '[^/]+')}$`).test(asked),
  );
  return route?.doc.answers['application/json'];
}

/** What a task runs to be a {@link Talker}. */
const TELL = 'echo "$EXECGO_TASK_SOCKET $EXECGO_TASK_TOKEN"';

/** Starts a task that tells and then lasts. @param then what it does after that. @param more goes over the request */
export async function startTalker(
  daemon: Served,
  then = 'exec sleep 600',
  more: object = {},
): Promise<Talker> {
  return told(daemon, await submit(daemon, script(`${TELL}; ${then}`, more)));
}

/** What the attempt that a task is at, or was at last, has told. */
export async function told(daemon: Served, id: string): Promise<Talker> {
  const { stdout } = await waitFor(
    async () => {
      const { body } = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`);
      return body.stdout.includes('\n') ? body : undefined;
    },
    { what: `the token of ${id}` },
  );
  const [socket = '', token = ''] = stdout.split('\n', 1)[0]!.split(' ');
  return { id, socket, token, ask: asker(socket, token) };
}

/** Says something to a task. */
export const say = (daemon: Served, id: string, body: unknown, headers?: Record<string, string>) =>
  http(daemon.url).post(`/api/v1/tasks/${id}/commands`, body, headers);
