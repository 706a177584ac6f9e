/** Configuration by environment variables: names, defaults and limits stand here and nowhere else. */
import { constants } from 'node:buffer';
import { availableParallelism } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { Type, type Static } from '@sinclair/typebox';
import { envSchema } from 'env-schema';
import { DEEPEST } from './codec/json/nesting.js';
import { describe } from './compute/validate.js';
import { IN_MEMORY, STORE_ADDRESS_FORMS, STORE_ADDRESS_PATTERN, withoutPassword } from './sessions/address.js';

const MEBIBYTE = 2 ** 20;

/** Node.js keeps times in milliseconds, in 32 bits. */
const MOST_SECONDS = 2_000_000;

/** A list by commas, none of it where it is empty; `expects` says it in words. */
function list(item: string, expects: string, description: string) {
  return Type.String({ pattern: `^(${item}( *, *${item})*)?$`, default: '', description, examples: [expects] });
}

/** What a list by commas names. */
export function listed(value: string): readonly string[] {
  return value === '' ? [] : value.split(',').map((item) => item.trim());
}

function seconds(fallback: number, description: string) {
  return Type.Integer({ minimum: 1, maximum: MOST_SECONDS, default: fallback, description });
}

export const ConfigSchema = Type.Object({
  HOST: Type.String({ minLength: 1, default: '127.0.0.1', description: 'Address to listen on.' }),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65535,
    default: 8080,
    description: 'Port to listen on; 0 takes a free one.',
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'Least important log line that is written.' },
  ),
  BODY_LIMIT_BYTES: Type.Integer({
    minimum: 1,
    // A body is read as one string.
    maximum: constants.MAX_STRING_LENGTH,
    default: 64 * MEBIBYTE,
    description: 'Largest request body, in bytes.',
  }),
  SESSION_STORE: Type.String({
    pattern: STORE_ADDRESS_PATTERN,
    default: IN_MEMORY,
    description: 'Where sessions are kept: in memory, or in a Redis that all replicas share.',
    examples: STORE_ADDRESS_FORMS,
  }),
  NESTING_LIMIT: Type.Integer({
    // A backward request with a forward one inside, and a tensor of as many axes as are read (32).
    minimum: 40,
    // JSON.parse calls itself for each, and its stack ends somewhere beyond.
    maximum: 5000,
    default: DEEPEST,
    description: 'How many arrays and objects of a JSON body may stand in each other.',
  }),
  SESSION_TTL_SECONDS: Type.Integer({
    minimum: 1,
    // 68 years; a date that is much further away cannot be written.
    maximum: 2 ** 31 - 1,
    default: 900,
    description: 'How long a session lives after its last use, in seconds.',
  }),
  SESSION_BUDGET_BYTES: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 1024 * MEBIBYTE,
    description: 'Memory for all sessions together, in bytes; where Redis bounds that, the largest session.',
  }),
  PROCESSES: Type.Integer({
    minimum: 1,
    maximum: 256,
    default: availableParallelism(),
    description: 'Server processes that share the port; as many as cores unless given.',
  }),
  WORKERS: Type.Integer({
    minimum: 0,
    maximum: 256,
    // With a process for every core this is a thread for every core.
    default: 1,
    description: 'Threads of each process for large requests; 0 computes all on the event loop.',
  }),
  WORK_LIMIT_OPERATIONS: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 20_000_000_000,
    description: 'Most multiplications and additions that one request may ask for.',
  }),
  WORK_LIMIT_RESULT_BYTES: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 256 * MEBIBYTE,
    description: 'Most bytes of results, working memory included, that one request may ask for.',
  }),
  BODIES_BUDGET_BYTES: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 1024 * MEBIBYTE,
    description: 'Memory for the bodies of all requests in flight together, in bytes; for one at least.',
  }),
  HEADER_LIMIT_BYTES: Type.Integer({
    minimum: 1024,
    maximum: MEBIBYTE,
    // Node's own.
    default: 16 * 1024,
    description: 'Largest head of a request: its first line and its headers, in bytes.',
  }),
  HEADERS_TIMEOUT_SECONDS: seconds(30, 'How long the head of a request may take to arrive, in seconds.'),
  REQUEST_TIMEOUT_SECONDS: seconds(300, 'How long all of a request may take to arrive, in seconds.'),
  // Longer than the 60 s of most balancers: who closes a connection first loses no request that is on its way.
  KEEP_ALIVE_TIMEOUT_SECONDS: seconds(72, 'How long a connection may be idle between two requests, in seconds.'),
  SEND_TIMEOUT_SECONDS: seconds(60, 'How long a client may read nothing of its answer, in seconds.'),
  REQUESTS_IN_FLIGHT_LIMIT: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 1000,
    description: 'Most requests that each process has in flight.',
  }),
  EVENT_LOOP_DELAY_LIMIT_MS: Type.Integer({
    minimum: 0,
    maximum: 3_600_000,
    default: 1000,
    description: 'Most that an event loop may be late, in milliseconds; 0 for no limit.',
  }),
  HEAP_LIMIT_BYTES: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    // At the whole of it V8 ends the process.
    default: Math.floor(getHeapStatistics().heap_size_limit * 0.9),
    description: 'Most that the JavaScript heap of each process may hold, in bytes; 0 for no limit.',
  }),
  RATE_LIMIT_PER_MINUTE: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 0,
    description: 'Most requests of one client in a minute; 0 for no limit.',
  }),
  TRUST_PROXY: list(
    '[\\w.:/]+',
    'addresses or networks by commas, such as 10.0.0.0/8 or loopback',
    'Balancers whose X-Forwarded-For is believed: addresses or networks, by commas.',
  ),
  API_KEYS_FILE: Type.String({ default: '', description: 'File of the keys of clients; without it all are served.' }),
  CORS_ORIGINS: list(
    '(\\*|https?://[\\w.:\\[\\]-]+)',
    'origins by commas, such as https://example.org, or *',
    'Origins whose pages may call the service, by commas; * for all.',
  ),
  SHUTDOWN_DELAY_SECONDS: Type.Integer({
    minimum: 0,
    maximum: MOST_SECONDS,
    default: 0,
    description: 'How long a stopping service says that it is not ready and serves on, in seconds.',
  }),
  SHUTDOWN_GRACE_SECONDS: seconds(25, 'How long stopping may take in all, the delay included, in seconds.'),
});

export type Config = Static<typeof ConfigSchema>;

/**
 * @throws {Error} one line that names each variable that is wrong
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  const config = readConfig(environment);
  const { SHUTDOWN_DELAY_SECONDS: delay, SHUTDOWN_GRACE_SECONDS: grace } = config;
  if (delay >= grace)
    throw new Error(`SHUTDOWN_DELAY_SECONDS is ${delay}; expected less than SHUTDOWN_GRACE_SECONDS, ${grace}`);
  return config;
}

function readConfig(environment: NodeJS.ProcessEnv): Config {
  try {
    return envSchema<Config>({ schema: ConfigSchema, data: environment, env: false });
  } catch (error) {
    const { errors } = error as { errors?: readonly { instancePath: string }[] };
    if (!errors) throw error;
    const names = new Set(errors.map(({ instancePath }) => instancePath.slice(1) as keyof Config));
    const details = [...names].map(
      // The address of a store may hold a password.
      (name) =>
        `${name} is ${JSON.stringify(withoutPassword(environment[name] ?? ''))}; expected ${describe(ConfigSchema.properties[name])}`,
    );
    throw new Error(details.join('; '), { cause: error });
  }
}

/** Where traces go. */
export interface TracingConfig {
  readonly exporter: 'otlp' | 'console';
  readonly protocol: 'http/protobuf' | 'http/json';
}

/**
 * Of OpenTelemetry's variables those that decide whether there are traces and how they are sent; its own packages read
 * the others (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 *
 * @returns undefined where no traces are wanted
 * @throws {Error} one line that names the variable whose value is not supported here
 */
export function loadTracing(environment: NodeJS.ProcessEnv): TracingConfig | undefined {
  // An empty variable is one that is not set, by OpenTelemetry's rules.
  const given = (...names: string[]) => names.find((name) => environment[name]);
  const oneOf = <Value extends string>(name: string, values: readonly Value[]): Value => {
    const value = values.find((supported) => supported === environment[name]);
    if (value !== undefined) return value;
    const expected = values.map((supported) => JSON.stringify(supported)).join(' or ');
    throw new Error(`${name} is ${JSON.stringify(environment[name])}; expected ${expected}`);
  };
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined;
  const exporterVariable = given('OTEL_TRACES_EXPORTER');
  if (!exporterVariable && !given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'))
    return undefined;
  const exporter = exporterVariable ? oneOf(exporterVariable, ['otlp', 'console', 'none']) : 'otlp';
  if (exporter === 'none') return undefined;
  const propagators = given('OTEL_PROPAGATORS');
  // What a baggage holds is of no use here.
  if (propagators) oneOf(propagators, ['tracecontext', 'tracecontext,baggage', 'baggage,tracecontext']);
  const protocol = given('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL');
  return { exporter, protocol: protocol ? oneOf(protocol, ['http/protobuf', 'http/json']) : 'http/protobuf' };
}
