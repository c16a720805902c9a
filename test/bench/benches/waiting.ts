import type { Backlog } from '../backlog.js';
import { compared } from '../backlog-costs.js';
import type { Bench } from '../bench.js';
import type { Figure } from '../figure.js';
import { withLoadClient } from '../load/load-client.js';

const QUEUES = 100;

/** What it costs that many tasks wait, in one queue or in many. */
export const waiting: Bench = {
  name: 'waiting',
  what: 'submit, dispatch, status and start-up beside 10,000 waiting in 100 queues, with and without dependencies, and 100,000 in one',
  run: (context) =>
    withLoadClient(async (client) => {
      const [some, many] = context.pick([10_000, 100_000], [1000, 5000]);
      const beside: Backlog[] = [
        { name: `${some} waiting in one queue`, waiting: some, queues: 1 },
        { name: `${some} waiting in ${QUEUES} queues`, waiting: some, queues: QUEUES },
        { name: `${some} in chains across ${QUEUES} queues`, waiting: some, queues: QUEUES, chained: true },
        { name: `${many} waiting in one queue`, waiting: many, queues: 1 },
      ];
      const none = { name: 'none waiting', waiting: 0, queues: 0 };
      const figures: Figure[] = [];
      for (const backlog of beside) figures.push(...(await compared(context, client, backlog, none)));
      return figures;
    }),
};
