/** Configuration by environment variables: names, defaults and limits stand here and nowhere else. */
import { Type, type Static } from '@sinclair/typebox';
import { envSchema } from 'env-schema';

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
    default: 64 * MEBIBYTE,
    description: 'Largest request body, in bytes.',
  }),
  SESSION_TTL_SECONDS: Type.Integer({
    minimum: 1,
    default: 900,
    description: 'How long a session lives after its last use, in seconds.',
  }),
  SESSION_BUDGET_BYTES: Type.Integer({
    minimum: 0,
    default: 1024 * MEBIBYTE,
    description: 'Memory for all sessions together, in bytes.',
  }),
  WORK_LIMIT_OPERATIONS: Type.Integer({
    minimum: 1,
    default: 20_000_000_000,
    description: 'Most multiplications and additions that one request may ask for.',
  }),
  WORK_LIMIT_RESULT_BYTES: Type.Integer({
    minimum: 1,
    default: 256 * MEBIBYTE,
    description: 'Most bytes of results, working memory included, that one request may ask for.',
  }),
});

export type Config = Static<typeof ConfigSchema>;

/**
 * @throws {Error} one line that names each variable that is wrong
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  return envSchema<Config>({ schema: ConfigSchema, data: environment, env: false });
}
