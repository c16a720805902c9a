import type { Express } from 'express';
import { expect, test } from 'vitest';
import { http } from '../harness/http.js';
import { serve } from './serve.js';

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
  expect(named).toHaveLength(21);
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
  const request = submit.requestBody.content['application/json'].schema;
  expect(request.required).toEqual(['execution']);
  expect(Object.keys(request.properties)).toContain('control_context');
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
  ]);
  expect(body.components.schemas.TaskView.required).toContain('stdout_truncated');
});
