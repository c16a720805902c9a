import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { ErrorCode } from '../task/errors.js';
import type { ApiContext } from './context.js';
import type { AnswerName } from './answers.js';

/** What the specification says about a route. */
export interface RouteDoc {
  summary: string;
  query?: z.ZodObject | undefined;
  /** Header name → what it means. */
  headers?: Readonly<Record<string, string>> | undefined;
  body?: z.ZodType | undefined;
  /** Content type of the 200 answer → its schema; undefined where JSON Schema has nothing to say about it. */
  answers: Readonly<Record<string, AnswerName | undefined>>;
  /** Beside `permission_denied` of the door and `internal`, which any route may answer. */
  errors: readonly ErrorCode[];
}

/** One method of one path. What `handle` throws is answered by the error map. */
export interface Route {
  method: 'get' | 'post' | 'delete';
  /** In express's words, e.g. `/api/v1/tasks/:id`. */
  path: string;
  doc: RouteDoc;
  handle: (ctx: ApiContext, req: Request, res: Response) => void | Promise<void>;
}
