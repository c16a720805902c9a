import { compared } from '../backlog-costs.js';
import type { Bench } from '../bench.js';
import { withLoadClient } from '../load/load-client.js';
import { emptyHistory } from '../scale-history.js';
import { runTemplates } from '../seed-templates.js';

const QUEUES = 100;

/** What it costs that very much has happened and much waits, beside a daemon that has done nothing and where nothing waits. */
export const history: Bench = {
  name: 'history',
  what: 'the same with 1,000,000 ended and 10,000 waiting in chains across 100 queues, beside none',
  alone: true,
  run: (context) =>
    withLoadClient(async (client) => {
      const [ended, waiting] = context.pick([1_000_000, 10_000], [20_000, 1000]);
      const ends = await emptyHistory(context, await runTemplates(context));
      context.progress(`writes ${ended} tasks that have ended`);
      ends.growTo(ended);
      const backlog = {
        ...{ name: `${ended} ended, ${waiting} in chains across ${QUEUES} queues`, waiting, queues: QUEUES },
        ...{ chained: true as const, history: ends },
      };
      return compared(context, client, backlog, { name: 'none ended or waiting', waiting: 0, queues: 0 });
    }),
};
