/** Configuration by environment variables. Their names, defaults and limits are defined only here. */
import { constants } from 'node:buffer';
import { availableParallelism } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { Kind, Type, type Static } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { DEEPEST } from './codec/json/nesting.js';
import { describe } from './validation/describe.js';
import { IN_MEMORY, STORE_ADDRESS_FORMS, STORE_ADDRESS_PATTERN, withoutPassword } from './sessions/address.js';

const MEBIBYTE = 2 ** 20;

/** Timers of Node.js count milliseconds in 32 bits. */
const MOST_SECONDS = 2_000_000;

/** A comma-separated list, which may be empty; `expects` describes it in words. */
function list(item: string, expects: string, description: string) {
  return Type.String({ pattern: `^(${item}( *, *${item})*)?$`, default: '', description, examples: [expects] });
}

/** The entries of a comma-separated list. */
export function listed(value: string): readonly string[] {
  return value === '' ? [] : value.split(',').map((item) => item.trim());
}

function seconds(fallback: number, description: string) {
  return Type.Integer({ minimum: 1, maximum: MOST_SECONDS, default: fallback, description });
}

export const ConfigSchema = Type.Object({
  HOST: Type.String({
    minLength: 1,
    default: '127.0.0.1',
    description: 'Address to listen on; the image sets `0.0.0.0`.',
  }),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65535,
    default: 8080,
    description: 'Port to listen on; 0 chooses a free one.',
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    {
      default: 'info',
      description: 'Least severe log line to write: `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`.',
    },
  ),
  BODY_LIMIT_BYTES: Type.Integer({
    minimum: 1,
    // A string in a JSON body can be as long as the body.
    maximum: constants.MAX_STRING_LENGTH,
    default: 64 * MEBIBYTE,
    description: 'Largest request body, before and after decompression.',
  }),
  SESSION_STORE: Type.String({
    pattern: STORE_ADDRESS_PATTERN,
    default: IN_MEMORY,
    description: 'Where sessions are kept: in memory, or in Redis.',
    examples: STORE_ADDRESS_FORMS,
  }),
  NESTING_LIMIT: Type.Integer({
    // A backward request that contains a forward request with a tensor of the highest rank (32).
    minimum: 40,
    // About ten times the default, which is more than ten times what any layer needs. The reader itself has no limit.
    maximum: 5000,
    default: DEEPEST,
    description: 'Maximum nesting depth of a JSON body.',
  }),
  SESSION_TTL_SECONDS: Type.Integer({
    minimum: 1,
    // 68 years; dates that are much later cannot be represented.
    maximum: 2 ** 31 - 1,
    default: 900,
    description: 'How long a session lives after its last use.',
  }),
  SESSION_BUDGET_BYTES: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 1024 * MEBIBYTE,
    description: 'Memory for all sessions together; with Redis, the largest single session.',
  }),
  PROCESSES: Type.Integer({
    minimum: 1,
    maximum: 256,
    default: availableParallelism(),
    'x-default': 'the number of cores',
    description: 'Server processes that share the port.',
  }),
  WORKERS: Type.Integer({
    minimum: 0,
    maximum: 256,
    // With one process per core, this is one thread per core.
    default: 1,
    description: 'Worker threads per process for large requests; 0 computes everything on the event loop.',
  }),
  WORK_LIMIT_OPERATIONS: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 20_000_000_000,
    description: 'Maximum multiplications and additions that one request may need.',
  }),
  WORK_LIMIT_RESULT_BYTES: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 256 * MEBIBYTE,
    description: 'Maximum bytes of results and working memory that one request may need.',
  }),
  BODIES_BUDGET_BYTES: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 1024 * MEBIBYTE,
    description:
      'Memory for the bodies of all requests in flight together; beyond it, requests get 503. Divided among the processes, but never less than `BODY_LIMIT_BYTES` for each.',
  }),
  HEADER_LIMIT_BYTES: Type.Integer({
    minimum: 1024,
    maximum: MEBIBYTE,
    // The default of Node.js.
    default: 16 * 1024,
    description: 'Largest request head: the request line and the headers.',
  }),
  HEADERS_TIMEOUT_SECONDS: seconds(30, 'How long a request head may take to arrive.'),
  REQUEST_TIMEOUT_SECONDS: seconds(300, 'How long a whole request may take to arrive.'),
  // Longer than the 60 s of most load balancers: the balancer must close idle connections first, or it may send a
  // request on a connection that is being closed.
  KEEP_ALIVE_TIMEOUT_SECONDS: seconds(
    72,
    'How long a connection may stay idle; must exceed the idle timeout of the load balancer, or requests may be lost.',
  ),
  SEND_TIMEOUT_SECONDS: seconds(60, 'How long a response may stall because the client is not reading.'),
  REQUESTS_IN_FLIGHT_LIMIT: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 1000,
    description: 'Maximum requests in flight per process; beyond it, requests get 503.',
  }),
  EVENT_LOOP_DELAY_LIMIT_MS: Type.Integer({
    minimum: 0,
    maximum: 3_600_000,
    default: 1000,
    description:
      'Longest mean delay of an event loop over the last second; beyond it, requests get 503. 0 means no limit, and is needed with `WORKERS=0`.',
  }),
  HEAP_LIMIT_BYTES: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    // V8 ends the process when the heap limit itself is reached.
    default: Math.floor(getHeapStatistics().heap_size_limit * 0.9),
    'x-default': '90% of V8’s heap limit',
    description: 'Largest JavaScript heap per process; beyond it, requests get 503. 0 means no limit.',
  }),
  RATE_LIMIT_PER_MINUTE: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 0,
    description: 'Maximum requests per client and minute; beyond it, requests get 429. 0 means no limit.',
  }),
  TRUST_PROXY: list(
    '[\\w.:/]+',
    'addresses or networks separated by commas, such as 10.0.0.0/8 or loopback',
    'Proxies whose `X-Forwarded-For` is trusted: addresses or networks separated by commas, such as `10.0.0.0/8` or `loopback`.',
  ),
  API_KEYS_FILE: Type.String({
    default: '',
    description: 'File of API keys; without it, anyone who reaches the service can use it.',
  }),
  CORS_ORIGINS: list(
    '(\\*|https?://[\\w.:\\[\\]-]+)',
    'origins separated by commas, such as https://example.org, or *',
    'Origins whose pages may call the service, separated by commas, such as `https://example.org`; `*` allows all.',
  ),
  SHUTDOWN_DELAY_SECONDS: Type.Integer({
    minimum: 0,
    maximum: MOST_SECONDS,
    default: 0,
    description: 'How long a stopping service reports that it is not ready but still serves.',
  }),
  SHUTDOWN_GRACE_SECONDS: seconds(25, 'How long stopping may take in total; Kubernetes kills after 30 s.'),
});

export type Config = Static<typeof ConfigSchema>;

/**
 * @throws {Error} one line that names each invalid variable
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  const config = readConfig(environment);
  const { SHUTDOWN_DELAY_SECONDS: delay, SHUTDOWN_GRACE_SECONDS: grace } = config;
  if (delay >= grace)
    throw new Error(`SHUTDOWN_DELAY_SECONDS is ${delay}; expected less than SHUTDOWN_GRACE_SECONDS, ${grace}`);
  return config;
}

function readConfig(environment: NodeJS.ProcessEnv): Config {
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const given = environment[name];
    values[name] = given === undefined ? schema.default : schema[Kind] === 'Integer' ? numberIn(given) : given;
  }
  const compiled = TypeCompiler.Compile(ConfigSchema);
  if (compiled.Check(values)) return values;
  const names = new Set([...compiled.Errors(values)].map(({ path }) => path.slice(1) as keyof Config));
  const details = [...names].map(
    // The address of a store may contain a password.
    (name) =>
      `${name} is ${JSON.stringify(withoutPassword(environment[name] ?? ''))}; expected ${describe(ConfigSchema.properties[name])}`,
  );
  throw new Error(details.join('; '));
}

/** The number if the text is all decimal digits, else the text: `Number` would also accept ` 5`, `0x10` and `1e3`. */
function numberIn(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** How traces are exported. */
export interface TracingConfig {
  readonly exporter: 'otlp' | 'console';
  readonly protocol: 'http/protobuf' | 'http/json';
}

/**
 * Reads the OpenTelemetry variables that determine whether and how traces are sent; OpenTelemetry's packages read
 * the others (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 *
 * @returns undefined if tracing is off
 * @throws {Error} one line that names the variable whose value is not supported here
 */
export function loadTracing(environment: NodeJS.ProcessEnv): TracingConfig | undefined {
  // By OpenTelemetry's rules, an empty variable counts as unset.
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
  // Baggage is accepted but not used.
  if (propagators) oneOf(propagators, ['tracecontext', 'tracecontext,baggage', 'baggage,tracecontext']);
  const protocol = given('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL');
  return { exporter, protocol: protocol ? oneOf(protocol, ['http/protobuf', 'http/json']) : 'http/protobuf' };
}
