import { z } from 'zod';
import { answers, type TaskAnswerName } from '../task/answers.js';
import { ERROR_STATUS, type ErrorCode } from '../task/error-codes.js';
import { examples } from '../task/examples.js';
import { submissionParts } from '../task/request.js';
import { commonErrors, type RouteDoc, type RouteOf } from './route.js';

type Json = Record<string, unknown>;
type AnyDoc = RouteDoc<TaskAnswerName>;

const DESCRIPTION = `Runs commands on one machine and never loses track of one.

**Who may ask.** There are no tokens and no users: whoever reaches the daemon may do everything. So it listens on a loopback address, or on a
Unix socket whose file mode says who may connect, and on any other address only where its operator insists. A request is refused with 403
where its \`Host\` is not this machine's, or where its \`Origin\` or \`Sec-Fetch-Site\` says that it comes from a web page of
another site. The header \`x-execgo-owner\` keeps people from ending each other's tasks by mistake: it is a name that anybody can send, and no secret.

New fields may come into answers at any time: a client ignores those that it does not know.`;

/** What a specification says beside its routes. */
export interface About {
  title: string;
  description: string;
  servers: readonly Json[];
  security: readonly Json[];
  securitySchemes?: Json | undefined;
  /** Parts of requests that have a name of their own. */
  requests: Readonly<Record<string, z.ZodType>>;
  answers: Readonly<Record<string, z.ZodType>>;
}

const API: About = {
  title: 'execgo',
  description: DESCRIPTION,
  servers: [
    { url: '/', description: 'The daemon that this document comes from' },
    { url: 'http://127.0.0.1:8080', description: 'Where a daemon listens if it is not told' },
  ],
  security: [],
  requests: submissionParts,
  answers,
};

/** A route, as far as it is described. */
type Described = Pick<RouteOf<never, TaskAnswerName>, 'method' | 'path' | 'doc'>;

/** The OpenAPI 3.1 document of `routes`. */
export function specification(routes: readonly Described[], version: string, about = API): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  const bodies = Object.assign({}, ...routes.map(({ doc }) => doc.body)) as Record<string, z.ZodType>;
  return {
    openapi: '3.1.0',
    info: {
      ...{ title: about.title, version, description: about.description },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: about.servers,
    security: about.security,
    paths,
    components: {
      schemas: { ...named({ ...bodies, ...about.requests }, 'input'), ...named(about.answers, 'output') },
      ...(about.securitySchemes === undefined ? {} : { securitySchemes: about.securitySchemes }),
    },
  };
}

function operation({ method, path, doc }: Described): Json {
  return {
    operationId: `${method}${path.replace(/[/:._-]+(\w?)/g, (_all, letter: string) => letter.toUpperCase())}`,
    summary: doc.summary,
    parameters: [...pathParameters(path), ...queryParameters(doc), ...headerParameters(doc)],
    ...requestBody(doc),
    responses: {
      '200': { description: doc.summary, content: content(doc) },
      ...(doc.partial === true ? { '206': { description: 'The range', content: content(doc) } } : {}),
      ...errorResponses(doc),
    },
  };
}

function requestBody({ body = {}, content: type }: AnyDoc): Json {
  if (type !== undefined)
    return { requestBody: { required: false, content: { [type]: { schema: { type: 'string' } } } } };
  const [given] = Object.entries(body);
  if (given === undefined) return {};
  const [name, schema] = given;
  const required = !schema.safeParse(undefined).success;
  return { requestBody: { required, content: { 'application/json': { schema: reference(name) } } } };
}

function content({ answers: byType, events }: AnyDoc): Json {
  const whole = Object.entries(byType).map(([type, name]) => [
    type,
    {
      schema:
        name === undefined ? { type: type === 'application/json' ? 'object' : 'string' } : reference(name),
    },
  ]);
  const stream = events === undefined ? [] : [['text/event-stream', { schema: eventData(events) }]];
  return Object.fromEntries([...whole, ...stream]) as Json;
}

/** OpenAPI 3.1 has no words for a stream: what stands in the `data` of one event. */
function eventData(events: NonNullable<AnyDoc['events']>): Json {
  const byName = Object.entries(events).map(([event, name]) => `${event}: ${name}`);
  const shapes = [...new Set(Object.values(events))].map(reference);
  return {
    description: `Server-sent events. This is the data of one, as JSON, by its name: ${byName.join('; ')}`,
    ...(shapes.length === 1 ? shapes[0] : { anyOf: shapes }),
  };
}

/** As `errors.ts` sends it. */
const RETRY_AFTER = {
  description: 'When to submit again, in seconds',
  schema: { type: 'integer', minimum: 1 },
};

function errorResponses(doc: AnyDoc): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...commonErrors, ...doc.errors])) {
    const status = ERROR_STATUS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      String(status),
      {
        description: codes.join(', '),
        ...(status === 429 || status === 503 ? { headers: { 'Retry-After': RETRY_AFTER } } : {}),
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

function queryParameters(doc: AnyDoc): Json[] {
  if (doc.query === undefined) return [];
  const made = z.toJSONSchema(doc.query, { io: 'input', unrepresentable: 'any' });
  return Object.entries((made.properties ?? {}) as Record<string, Json>).map(
    ([name, { description, ...schema }]) => ({ name, in: 'query', required: false, description, schema }),
  );
}

function headerParameters(doc: AnyDoc): Json[] {
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

/** Each schema under its name; where one stands in another, there is a reference to it. */
function named(schemas: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, {
    io,
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => {
      // A newer daemon may answer more than this one says.
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      // The format says it in one word.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    },
  });
  return Object.fromEntries(
    Object.entries(made.schemas).map(([name, { $schema: _dialect, $id: _uri, ...schema }]) => {
      const example = (examples as Readonly<Record<string, unknown>>)[name];
      return [name, example === undefined ? schema : { ...schema, examples: [example] }];
    }),
  );
}
