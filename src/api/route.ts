import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { ErrorCode } from '../task/error-codes.js';
import type { ApiContext } from './context.js';
import type { AnswerName } from '../task/answers.js';

/** What the specification says about a route. */
export interface RouteDoc<Name = AnswerName> {
  summary: string;
  query?: z.ZodObject | undefined;
  /** Header name → what it means. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** The name that its schema has in the specification → the schema; one that takes undefined need not be sent. */
  body?: Readonly<Record<string, z.ZodType>> | undefined;
  /** Content type of a body that is no JSON. */
  content?: string | undefined;
  /** Whether 206 is answered for a range, with the same content type. */
  partial?: true | undefined;
  /** Content type of the 200 answer → its schema; undefined where JSON Schema has nothing to say about it. */
  answers: Readonly<Record<string, Name | undefined>>;
  /** Of a route that can answer server-sent events: name of the event → what its data is. */
  events?: Readonly<Record<string, AnswerName>> | undefined;
  /** Beside {@link commonErrors}. */
  errors: readonly ErrorCode[];
}

/** What any route may answer: the door, the parser of HTTP and the error handler are before all of them. */
export const commonErrors: readonly ErrorCode[] = [
  'invalid_input',
  'permission_denied',
  'request_timeout',
  'internal',
];

/** One method of one path. What `handle` throws is answered by the error map. */
export interface RouteOf<Context, Name = AnswerName> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** In express's words, e.g. `/api/v1/tasks/:id`. */
  path: string;
  doc: RouteDoc<Name>;
  handle: (ctx: Context, req: Request, res: Response) => void | Promise<void>;
}

/** One of the API. */
export type Route = RouteOf<ApiContext>;
