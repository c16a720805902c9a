import type { Machine } from '../../task/demands.js';
import type { TaskRequest } from '../../task/request.js';

/** One sentence for each field of a request that is stored and shown, but has no effect. */
export function keptOnly(
  { control_context: context, limits, policy }: TaskRequest,
  { profile }: Pick<Machine, 'profile'>,
): string[] {
  const { control_plane_mode, expected_runtime_profile: expected } = context ?? {};
  const sentences: [field: string, isGiven: boolean, what: string][] = [
    ['control_context.control_plane_mode', control_plane_mode !== undefined, 'it changes nothing here'],
    [
      'control_context.expected_runtime_profile',
      expected !== undefined && expected !== profile,
      'it is not what this daemon was given with --profile, and the task runs all the same; policy.demands.profile is a condition',
    ],
    [
      'policy.retry.memory_factor',
      policy.retry?.memory_factor !== undefined && limits.memory_bytes === undefined,
      'the task has no limits.memory_bytes that could be raised',
    ],
  ];
  return sentences
    .filter(([, isGiven]) => isGiven)
    .map(([field, , what]) => `${field} is kept, and steers nothing: ${what}`);
}
