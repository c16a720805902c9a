import type { Command } from '../../store/command-table.js';
import type { CommandPage, CommandView } from '../../task/commands.js';
import { optionalTime, timestamp } from '../views/timestamp.js';

/** A command as it is sent. */
export function commandView(taskId: string, command: Command): CommandView {
  return {
    task_id: taskId,
    seq: command.seq,
    type: command.type,
    payload: command.payload,
    idempotency_key: command.idempotency_key ?? undefined,
    status: command.status,
    created_at: timestamp(command.created_at_ms),
    acknowledged_at: optionalTime(command.acknowledged_at_ms ?? undefined),
    finished_at: optionalTime(command.finished_at_ms ?? undefined),
    result: command.result,
    error: command.error ?? undefined,
  };
}

/** Some commands of a task. @param afterSeq the number after which they were looked for */
export function commandPage(taskId: string, commands: readonly Command[], afterSeq: number): CommandPage {
  return {
    task_id: taskId,
    commands: commands.map((command) => commandView(taskId, command)),
    last_seq: commands.at(-1)?.seq ?? afterSeq,
  };
}
