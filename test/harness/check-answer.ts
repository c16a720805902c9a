import type { z } from 'zod';
import type { Route } from '../../src/api/route.js';
import type { AnswerName } from '../../src/task/answers.js';

/** What came back for one request, read to its end. */
export interface CameBack {
  method: string;
  /** With its query. */
  path: string;
  status: number;
  contentType: string;
  text: string;
}

/** Addresses of real daemons: only what they answer is held to the specification. */
const daemons = new Set<string>();

/** From now on an answer of the daemon at `url` that is not what the specification says fails its test. */
export function checkAnswersOf(url: string): void {
  daemons.add(url);
}

/**
 * Holds what a real daemon answered to what the specification says of its route and status, fields that it does not name
 * included.
 * @throws Error naming the request, what is wrong and where
 */
export async function checkAnswer(url: string, answer: CameBack): Promise<void> {
  if (!daemons.has(url) || answer.method === 'HEAD') return;
  const problem = await problemOf(answer);
  if (problem === undefined) return;
  const { method, path, status, text } = answer;
  throw new Error(
    `${method} ${path} was answered with ${status}, and not as specified: ${problem}\n${text.slice(0, 2_000)}`,
  );
}

async function problemOf({ method, path, status, contentType, text }: CameBack): Promise<string | undefined> {
  const { routes } = await import('../../src/api/routes/routes.js');
  const route = routeOf(routes, method, path.split('?', 1)[0] ?? '');
  const type = contentType.split(';', 1)[0] ?? '';
  if (status !== 200) return problemOfRefusal(route, status, text);
  if (route === undefined) return 'there is no such route';
  if (type === 'text/event-stream') return problemOfEvents(route, text);
  if (!(type in route.doc.answers)) return `its content type is ${contentType}`;
  const name = route.doc.answers[type];
  return name === undefined ? undefined : problemOfValue(name, JSON.parse(text));
}

async function problemOfRefusal(
  route: Route | undefined,
  status: number,
  text: string,
): Promise<string | undefined> {
  const { commonErrors } = await import('../../src/api/route.js');
  const { ERROR_STATUS } = await import('../../src/task/error-codes.js');
  const { ErrorAnswer } = await import('../../src/task/error-body.js');
  const body: unknown = JSON.parse(text);
  const parsed = ErrorAnswer.safeParse(body);
  if (!parsed.success) return inWords(parsed.error);
  const { code } = parsed.data.error;
  if (ERROR_STATUS[code] !== status) return `${code} is ${ERROR_STATUS[code]}`;
  const codes = [...commonErrors, ...(route?.doc.errors ?? ['not_found', 'method_not_allowed'])];
  return codes.includes(code) ? undefined : `${code} is not among its errors: ${codes.join(', ')}`;
}

/** Server-sent events up to the last whole one. */
async function problemOfEvents({ doc }: Route, text: string): Promise<string | undefined> {
  for (const block of text.split('\n\n').slice(0, -1)) {
    const fields = block.split('\n').map((line) => line.split(/: ?(.*)/s));
    const field = (name: string) => fields.find(([key]) => key === name)?.[1];
    const data = field('data');
    if (data === undefined) continue;
    const event = field('event') ?? 'message';
    const name = doc.events?.[event];
    if (name === undefined) return `there is no event ${event}`;
    const problem = await problemOfValue(name, JSON.parse(data));
    if (problem !== undefined) return `event ${event}: ${problem}`;
  }
  return undefined;
}

async function problemOfValue(name: AnswerName, value: unknown): Promise<string | undefined> {
  const { answers } = await import('../../src/task/answers.js');
  const { error } = (answers[name] as z.ZodType).safeParse(value);
  return error && `${name}: ${inWords(error)}`;
}

function inWords(error: z.ZodError): string {
  return JSON.stringify(error.issues, null, 1);
}

/** Fixed paths before those with a parameter in the same place, as the application has it. */
function routeOf(routes: readonly Route[], method: string, path: string): Route | undefined {
  const fits = (pattern: string) => {
    const [parts, wanted] = [path.split('/'), pattern.split('/')];
    return (
      parts.length === wanted.length && wanted.every((part, i) => part.startsWith(':') || part === parts[i])
    );
  };
  const found = routes.filter((route) => route.method === method.toLowerCase() && fits(route.path));
  return found.find((route) => !route.path.includes(':')) ?? found[0];
}
