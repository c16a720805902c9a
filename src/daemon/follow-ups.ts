import { FollowUpSubmitter } from '../runtime/follow-ups/submitter.js';
import { submit, type Intake, type SubmittingCore } from '../runtime/lifecycle/submit.js';
import type { Part } from './lifecycle.js';

/** Submits what follows ends, from now on. */
export const followUps: Part<SubmittingCore & { intake: Intake }, FollowUpSubmitter> = {
  start: (parts) => {
    const started = new FollowUpSubmitter(parts, (body, along) =>
      submit(parts, parts.intake, body, { check: along }),
    );
    started.start();
    return started;
  },
  stop: (started) => started.stop(),
};
