import { sendJson, sendText } from '../respond.js';
import type { Route } from '../route.js';

/** Answers `/` with where to find the API. */
export const welcome: Route = {
  method: 'get',
  path: '/',
  doc: {
    summary: 'Where to go',
    answers: { 'application/json': 'Welcome', 'text/html': undefined },
    errors: [],
  },
  handle: (ctx, req, res) => {
    const links = {
      tasks: '/api/v1/tasks',
      events: '/api/v1/events',
      specification: '/openapi.json',
      health: '/healthz',
      metrics: '/metrics',
    };
    if (req.accepts(['json', 'html']) !== 'html') {
      sendJson(res, { name: 'execgo', version: ctx.version, links });
      return;
    }
    const items = Object.entries(links).map(([name, href]) => `<li><a href="${href}">${name}</a></li>`);
    sendText(
      res,
      `<!doctype html><title>execgo</title><h1>execgo ${ctx.version}</h1><ul>${items.join('')}</ul>\n`,
      'text/html; charset=utf-8',
    );
  },
};
