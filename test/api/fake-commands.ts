import type { CommandService } from '../../src/runtime/command-service.js';
import type { CommandPage, CommandView } from '../../src/task/commands.js';
import { ExecgoError } from '../../src/task/errors.js';

/** Commands that are kept in memory and never carried out. */
export class FakeCommands implements CommandService {
  readonly #commands: CommandView[] = [];
  readonly #check: (taskId: string) => void;

  /** @param check throws for a task that there is not */
  constructor(check: (taskId: string) => void) {
    this.#check = check;
  }

  async add(taskId: string, body: unknown): Promise<CommandView> {
    this.#check(taskId);
    const { type, payload = null } = body as { type: string; payload?: unknown };
    const view: CommandView = {
      ...{ task_id: taskId, seq: this.#commands.length + 1, type, payload },
      ...{ status: 'pending', created_at: '2026-03-01T10:00:00.000Z' },
    };
    this.#commands.push(view);
    return view;
  }

  async command(taskId: string, seq: number): Promise<CommandView> {
    this.#check(taskId);
    const found = this.#commands[seq - 1];
    if (found === undefined) throw new ExecgoError('not_found', `command not found: ${seq}`);
    return found;
  }

  async page(taskId: string): Promise<CommandPage> {
    this.#check(taskId);
    return { task_id: taskId, commands: this.#commands, last_seq: this.#commands.length };
  }
}
