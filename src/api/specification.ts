import { z } from 'zod';
import { ERROR_STATUS, type ErrorCode } from '../task/errors.js';
import { answers } from './answers.js';
import type { Route, RouteDoc } from './route.js';

type Json = Record<string, unknown>;

/** What any route may answer. */
const COMMON_ERRORS: readonly ErrorCode[] = ['invalid_input', 'permission_denied', 'internal'];

/** The OpenAPI 3.1 document of `routes`. */
export function specification(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'execgo',
      version,
      description: 'Runs commands on one machine and never loses track of one.',
    },
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.entries(answers).map(([name, schema]) => [name, jsonSchema(schema, 'output')]),
      ),
    },
  };
}

function operation({ method, path, doc }: Route): Json {
  return {
    operationId: `${method}${path.replace(/[/:._-]+(\w?)/g, (_all, letter: string) => letter.toUpperCase())}`,
    summary: doc.summary,
    parameters: [...pathParameters(path), ...queryParameters(doc), ...headerParameters(doc)],
    ...(doc.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: jsonSchema(doc.body, 'input') } },
          },
        }),
    responses: { '200': { description: doc.summary, content: content(doc) }, ...errorResponses(doc) },
  };
}

function content(doc: RouteDoc): Json {
  return Object.fromEntries(
    Object.entries(doc.answers).map(([type, name]) => [
      type,
      name === undefined ? {} : { schema: reference(name) },
    ]),
  );
}

/** As `errors.ts` sends it. */
const RETRY_AFTER = {
  description: 'When to submit again, in seconds',
  schema: { type: 'integer', minimum: 1 },
};

function errorResponses(doc: RouteDoc): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...COMMON_ERRORS, ...doc.errors])) {
    const status = ERROR_STATUS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      String(status),
      {
        description: codes.join(', '),
        ...(status === 429 ? { headers: { 'Retry-After': RETRY_AFTER } } : {}),
        content: { 'application/json': { schema: reference('ErrorAnswer') } },
      },
    ]),
  );
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(doc: RouteDoc): Json[] {
  if (doc.query === undefined) return [];
  const { properties = {} } = jsonSchema(doc.query, 'input') as { properties?: Record<string, Json> };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: false,
    description,
    schema,
  }));
}

function headerParameters(doc: RouteDoc): Json[] {
  return Object.entries(doc.headers ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }));
}

function reference(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const made: Json = { ...z.toJSONSchema(schema, { io, unrepresentable: 'any' }) };
  // The document names its dialect once, by its version.
  delete made.$schema;
  return made;
}
