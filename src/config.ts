/** Configuration by environment variables: names, defaults and limits stand here and nowhere else. */
import { constants } from 'node:buffer';
import { availableParallelism } from 'node:os';
import { Type, type Static } from '@sinclair/typebox';
import { envSchema } from 'env-schema';
import { describe } from './compute/validate.js';

const MEBIBYTE = 2 ** 20;

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
    description: 'Memory for all sessions together, in bytes.',
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
});

export type Config = Static<typeof ConfigSchema>;

/**
 * @throws {Error} one line that names each variable that is wrong
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  try {
    return envSchema<Config>({ schema: ConfigSchema, data: environment, env: false });
  } catch (error) {
    const { errors } = error as { errors?: readonly { instancePath: string }[] };
    if (!errors) throw error;
    const names = new Set(errors.map(({ instancePath }) => instancePath.slice(1) as keyof Config));
    const details = [...names].map(
      (name) => `${name} is ${JSON.stringify(environment[name])}; expected ${describe(ConfigSchema.properties[name])}`,
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
