import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Express } from 'express';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { answers, type AnswerName } from '../../src/task/answers.js';
import { examples } from '../../src/task/examples.js';
import { bulkSchema } from '../../src/task/actions.js';
import { QueueRuleRequest } from '../../src/task/queues.js';
import { submitSchema } from '../../src/task/request.js';
import { SessionEdit, SessionRequest } from '../../src/task/sessions.js';
import { ScheduleRequest } from '../../src/task/schedules.js';
import { tempDir } from '../harness/index.js';
import { http } from '../harness/http.js';
import { serve } from './serve.js';

/** What a request may be, by the name that its example has. */
const bodies = new Map<string, z.ZodType>([
  ['TaskSubmission', submitSchema],
  ['QueueRuleRequest', QueueRuleRequest],
  ['BulkRequest', bulkSchema],
  ['SessionRequest', SessionRequest],
  ['SessionEdit', SessionEdit],
  ['ScheduleRequest', ScheduleRequest],
]);

interface Layer {
  route?: { path: string; stack: { method?: string }[] };
}

/** `get /path/{id}` for everything that the application itself would answer. */
function routesOf(app: Express): string[] {
  const { stack } = app.router as unknown as { stack: Layer[] };
  return stack.flatMap(({ route }) =>
    (route?.stack ?? []).flatMap(({ method }) =>
      method === undefined ? [] : [`${method} ${route?.path.replace(/:(\w+)/g, '{$1}')}`],
    ),
  );
}

test('the specification names exactly the routes there are', async () => {
  const { app, url } = await serve();
  const answer = await http(url).get('/openapi.json');
  expect(answer.headers['content-type']).toBe('application/json');
  const named = Object.entries<object>(answer.body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(named.sort()).toEqual(routesOf(app).sort());
});

test('the specification is whole', async () => {
  const { body } = await http((await serve()).url).get('/openapi.json');
  expect(body).toMatchObject({ openapi: '3.1.0', info: { title: 'execgo', version: '1.2.3' } });
  const references = JSON.stringify(body).match(/#\/components\/schemas\/\w+/g) ?? [];
  for (const reference of references)
    expect(body.components.schemas).toHaveProperty(reference.split('/').at(-1)!);
  const operations = Object.values<Record<string, { operationId: string }>>(body.paths).flatMap((methods) =>
    Object.values(methods),
  );
  expect(new Set(operations.map((o) => o.operationId)).size).toBe(operations.length);

  const submit = body.paths['/api/v1/tasks'].post;
  expect(submit.requestBody.content['application/json'].schema).toEqual({
    $ref: '#/components/schemas/TaskSubmission',
  });
  const request = body.components.schemas.TaskSubmission;
  expect(request.required).toEqual(['execution']);
  expect(request.properties.execution).toEqual({ $ref: '#/components/schemas/Execution' });
  expect(Object.keys(body.components.schemas.ControlContext.properties)).toContain('owner');
  expect(Object.keys(submit.responses)).toEqual(
    expect.arrayContaining(['200', '400', '403', '409', '413', '415', '429', '500']),
  );
  expect(submit.responses['429'].headers).toHaveProperty('Retry-After');

  const status = body.paths['/api/v1/tasks/{id}'].get;
  expect(status.parameters).toEqual([
    { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
    expect.objectContaining({
      name: 'wait_ms',
      in: 'query',
      schema: expect.objectContaining({ type: 'integer', minimum: 0 }),
    }),
    expect.objectContaining({ name: 'tree', in: 'query' }),
  ]);
  expect(body.components.schemas.TaskView.required).toContain('stdout_truncated');
});

test('one document is made, when it is first asked for', async () => {
  const { url } = await serve();
  const [first, second] = [await http(url).get('/openapi.json'), await http(url).get('/openapi.json')];
  expect(second.text).toBe(first.text);
  expect(first.body).toMatchObject({
    servers: [{ url: '/' }, { url: 'http://127.0.0.1:8080' }],
    security: [],
  });
});

test.each(Object.entries(examples))(
  'the example of %s is one, and stands in the document',
  async (name, example) => {
    const schema = bodies.get(name) ?? answers[name as AnswerName];
    expect(schema.safeParse(example).error).toBeUndefined();
    const { body } = await http((await serve()).url).get('/openapi.json');
    expect(body.components.schemas[name].examples).toEqual([example]);
  },
);

test('a linter that knows OpenAPI and checks the examples has nothing to say', async () => {
  const { text } = await http((await serve()).url).get('/openapi.json');
  const dir = tempDir();
  writeFileSync(join(dir, 'openapi.json'), text);
  const home = dirname(createRequire(import.meta.url).resolve('@redocly/cli/package.json'));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(home, 'bin/cli.js'), 'lint', 'openapi.json', '--extends', 'recommended', '--format', 'json'],
    {
      cwd: dir,
      // It would ask the network whether there is a newer one, and tell that it was run.
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: 'true' },
    },
  );
  expect(JSON.parse(stdout)).toMatchObject({ totals: { errors: 0, warnings: 0 } });
});
