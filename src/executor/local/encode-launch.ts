import { MAX_LINE_BYTES } from '../../supervisor/wire/line-channel.js';
import { parseDaemonMessage } from '../../supervisor/wire/messages.js';
import { launchVersion, type DaemonMessage, type Outcome } from '../../supervisor/wire/protocol.js';
import type { Attempt } from '../executor.js';
import { launchSpec, type LaunchSettings } from './launch-spec.js';
import { messageOf } from '../../files/errno.js';

/** Why an attempt could not begin. */
type Failure = NonNullable<Outcome['failure']>;

/**
 * The launch message of an attempt, as one line.
 * @returns the reason if there can be no such message: it would have to be sent for ever
 */
export function encodeLaunch(attempt: Attempt, settings: LaunchSettings): string | Failure {
  const { launch_id, launch_token: token, task_id } = attempt;
  const version = launchVersion();
  let message: DaemonMessage;
  try {
    message = { type: 'launch', version, launch_id, task_id, token, spec: launchSpec(attempt, settings) };
  } catch (error) {
    // A tool or user that the plan needs has gone since.
    return { stage: 'sandbox', message: messageOf(error) };
  }
  if (parseDaemonMessage(message, version) === undefined)
    return cannotLaunch('its request holds what no supervisor understands');
  const text = JSON.stringify(message);
  return Buffer.byteLength(text) > MAX_LINE_BYTES
    ? cannotLaunch(`its request takes more than ${MAX_LINE_BYTES} bytes`)
    : `${text}\n`;
}

function cannotLaunch(why: string): Failure {
  return { stage: 'launch', message: `cannot launch the task: ${why}` };
}
