import type { AnswerName } from '../../task/answers.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

type View = 'info' | 'capabilities' | 'config' | 'resources';

/** Answers what the service tells of the daemon under that name. */
const view = (name: View, answer: AnswerName, summary: string): Route => ({
  method: 'get',
  path: `/api/v1/runtime/${name}`,
  doc: { summary, answers: { 'application/json': answer }, errors: [] },
  handle: ({ service }, _req, res) => {
    sendJson(res, service[name]());
  },
});

/** What the daemon tells of itself and of its machine. */
export const daemonViews: readonly Route[] = [
  view('info', 'RuntimeInfo', 'Who this daemon is'),
  view('capabilities', 'Capabilities', 'What this host was seen to be able to do'),
  view('config', 'RuntimeConfig', 'The settings in force'),
  view('resources', 'RuntimeResources', 'Capacity, and who holds how much of it'),
];
