/** The one map from error code to HTTP status. Codes without an HTTP answer of their own stand in a task's `error` only. */
export const ERROR_STATUS = {
  invalid_input: 400,
  unsupported_capability: 400,
  insufficient_resources: 400,
  launch_failed: 400,
  sandbox_setup_failed: 400,
  unauthorized: 401,
  permission_denied: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  resource_limit_exceeded: 429,
  internal: 500,
  unavailable: 503,
  insufficient_storage: 507,
  timeout: 500,
  cancelled: 500,
  memory_limit_exceeded: 500,
  cpu_limit_exceeded: 500,
  disk_limit_exceeded: 500,
  exit_nonzero: 500,
  signal: 500,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof ERROR_STATUS;
