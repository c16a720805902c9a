import type { z } from 'zod';
import type { Route } from '../../src/api/route.js';
import type { AnswerName } from '../../src/task/answers.js';
import type { ErrorCode } from '../../src/task/error-codes.js';

/** What came back for one request. */
export interface CameBack {
  method: string;
  /** With its query. */
  path: string;
  status: number;
  contentType: string;
  text: string;
  /** False where it was not read to its end: only the whole events of a stream are looked at then. */
  isWhole: boolean;
}

/**
 * Holds an answer to what the specification says of its route and status, fields that it does not name included.
 * @returns what is wrong and where, with the request; undefined when it is as specified
 */
export async function complaintAbout(answer: CameBack): Promise<string | undefined> {
  if (answer.method === 'HEAD') return undefined;
  const problem = await problemOf(answer).catch((error: unknown) => String(error));
  if (problem === undefined) return undefined;
  const { method, path, status, text } = answer;
  return `${method} ${path} was answered with ${status}, and not as specified: ${problem}\n${text.slice(0, 2_000)}`;
}

/**
 * The same for the refusals among all that came over a connection, whatever was sent there.
 * @returns what is wrong with the first that is not as specified
 */
export async function complaintAboutRefusals(bytes: Buffer): Promise<string | undefined> {
  for (const head of bytes.toString('latin1').matchAll(/HTTP\/1\.1 ([45]\d\d) [^]*?\r\n\r\n/g)) {
    const start = head.index + head[0].length;
    const length = Number(/^content-length: (\d+)\r$/im.exec(head[0])?.[1] ?? 0);
    const text = bytes.subarray(start, start + length).toString();
    // The answer to HEAD has a length and no text.
    if (!text.startsWith('{')) continue;
    const problem = await problemOfRefusal(Number(head[1]), text);
    if (problem !== undefined) return `${problem}\n${text}`;
  }
  return undefined;
}

async function problemOf({
  method,
  path,
  status,
  contentType,
  text,
  isWhole,
}: CameBack): Promise<string | undefined> {
  const { routes } = await import('../../src/api/routes/routes.js');
  const route = routeOf(routes, method, path);
  const type = contentType.split(';', 1)[0] ?? '';
  if (status === 200 && route !== undefined && type === 'text/event-stream')
    return problemOfEvents(route, text);
  if (!isWhole) return undefined;
  if (status === 206 && route?.doc.partial === true) return undefined;
  if (status !== 200)
    return problemOfRefusal(status, text, route?.doc.errors ?? ['not_found', 'method_not_allowed']);
  if (route === undefined) return 'there is no such route';
  if (!(type in route.doc.answers)) return `its content type is ${contentType}`;
  const name = route.doc.answers[type];
  return name === undefined ? undefined : problemOfValue(narrower(name, path), JSON.parse(text));
}

/** Of the answers that a list may have, the one that was asked for: a part of a task passes only for who wants no more. */
function narrower(name: AnswerName, path: string): AnswerName {
  if (name !== 'TaskListAnswer') return name;
  const asked = new URL(path, 'http://daemon').searchParams;
  if (asked.has('fields')) return 'PartialTaskPage';
  return asked.has('changed_after') ? 'ChangesPage' : 'TaskPage';
}

/** @param own the errors of its route, beside those of all; any without it */
async function problemOfRefusal(
  status: number,
  text: string,
  own?: readonly ErrorCode[],
): Promise<string | undefined> {
  const { ERROR_STATUS } = await import('../../src/task/error-codes.js');
  const { ErrorAnswer } = await import('../../src/task/error-body.js');
  const body: unknown = JSON.parse(text);
  const parsed = ErrorAnswer.safeParse(body);
  if (!parsed.success) return inWords(parsed.error);
  const { code } = parsed.data.error;
  if (ERROR_STATUS[code] !== status) return `${code} is ${ERROR_STATUS[code]}`;
  if (own === undefined) return undefined;
  const { commonErrors } = await import('../../src/api/route.js');
  const codes = [...commonErrors, ...own];
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

/** @returns why `value` is not what the specification calls by this name; undefined when it is */
export async function problemOfValue(name: AnswerName, value: unknown): Promise<string | undefined> {
  const { answers } = await import('../../src/task/answers.js');
  const { error } = (answers[name] as z.ZodType).safeParse(value);
  return error && `${name}: ${inWords(error)}`;
}

function inWords(error: z.ZodError): string {
  return JSON.stringify(error.issues, null, 1);
}

/** Fixed paths before those with a parameter in the same place, as the application has it. */
function routeOf(routes: readonly Route[], method: string, target: string): Route | undefined {
  // A target may name its host.
  const path = target
    .replace(/^http:\/\/[^/?]*|\?.*$/g, '')
    // As the application does.
    .replace(
      /(\/files\/)(.+)$/,
      (_all, before: string, file: string) => before + file.replaceAll('/', '%2F'),
    );
  const fits = (pattern: string) => {
    const [parts, wanted] = [path.split('/'), pattern.split('/')];
    return (
      parts.length === wanted.length && wanted.every((part, i) => part.startsWith(':') || part === parts[i])
    );
  };
  const found = routes.filter((route) => route.method === method.toLowerCase() && fits(route.path));
  return found.find((route) => !route.path.includes(':')) ?? found[0];
}
