/** Configuration by environment variables: names, defaults and limits stand here and nowhere else. */
import { constants } from 'node:buffer';
import { availableParallelism } from 'node:os';
import { Type, type Static } from '@sinclair/typebox';
import { envSchema } from 'env-schema';
import { describe } from './compute/validate.js';
import { IN_MEMORY, STORE_ADDRESS_FORMS, STORE_ADDRESS_PATTERN, withoutPassword } from './sessions/address.js';

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
  SESSION_STORE: Type.String({
    pattern: STORE_ADDRESS_PATTERN,
    default: IN_MEMORY,
    description: 'Where sessions are kept: in memory, or in a Redis that all replicas share.',
    examples: STORE_ADDRESS_FORMS,
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
      // The address of a store may hold a password.
      (name) =>
        `${name} is ${JSON.stringify(withoutPassword(environment[name] ?? ''))}; expected ${describe(ConfigSchema.properties[name])}`,
    );
    throw new Error(details.join('; '), { cause: error });
  }
}
