/** The limits in force, as `GET /layers` lists them. 0 means no limit. */
import type { Config } from '../config.js';

export function limitsInForce(config: Config): Readonly<Record<string, number>> {
  return {
    body_bytes: config.BODY_LIMIT_BYTES,
    nesting: config.NESTING_LIMIT,
    operations: config.WORK_LIMIT_OPERATIONS,
    result_bytes: config.WORK_LIMIT_RESULT_BYTES,
    session_ttl_seconds: config.SESSION_TTL_SECONDS,
    session_budget_bytes: config.SESSION_BUDGET_BYTES,
    bodies_budget_bytes: config.BODIES_BUDGET_BYTES,
    header_bytes: config.HEADER_LIMIT_BYTES,
    headers_timeout_seconds: config.HEADERS_TIMEOUT_SECONDS,
    request_timeout_seconds: config.REQUEST_TIMEOUT_SECONDS,
    keep_alive_timeout_seconds: config.KEEP_ALIVE_TIMEOUT_SECONDS,
    send_timeout_seconds: config.SEND_TIMEOUT_SECONDS,
    requests_in_flight: config.REQUESTS_IN_FLIGHT_LIMIT,
    event_loop_delay_ms: config.EVENT_LOOP_DELAY_LIMIT_MS,
    heap_bytes: config.HEAP_LIMIT_BYTES,
    requests_per_minute: config.RATE_LIMIT_PER_MINUTE,
  };
}
