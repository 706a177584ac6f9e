import { constants } from 'node:buffer';
import { availableParallelism } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { ConfigSchema, loadConfig } from '../src/config.js';
import { STORE_ADDRESS_FORMS } from '../src/sessions/address.js';

describe('the configuration', () => {
  it('has the documented defaults', () => {
    expect(loadConfig({})).toEqual({
      HOST: '127.0.0.1',
      PORT: 8080,
      LOG_LEVEL: 'info',
      BODY_LIMIT_BYTES: 64 * 2 ** 20,
      SESSION_STORE: 'memory:',
      NESTING_LIMIT: 512,
      SESSION_TTL_SECONDS: 900,
      SESSION_BUDGET_BYTES: 2 ** 30,
      PROCESSES: availableParallelism(),
      WORKERS: 1,
      WORK_LIMIT_OPERATIONS: 20_000_000_000,
      WORK_LIMIT_RESULT_BYTES: 256 * 2 ** 20,
      BODIES_BUDGET_BYTES: 2 ** 30,
      HEADER_LIMIT_BYTES: 16 * 2 ** 10,
      HEADERS_TIMEOUT_SECONDS: 30,
      REQUEST_TIMEOUT_SECONDS: 300,
      KEEP_ALIVE_TIMEOUT_SECONDS: 72,
      SEND_TIMEOUT_SECONDS: 60,
      REQUESTS_IN_FLIGHT_LIMIT: 1000,
      EVENT_LOOP_DELAY_LIMIT_MS: 1000,
      HEAP_LIMIT_BYTES: Math.floor(getHeapStatistics().heap_size_limit * 0.9),
      RATE_LIMIT_PER_MINUTE: 0,
      TRUST_PROXY: '',
      API_KEYS_FILE: '',
      CORS_ORIGINS: '',
      SHUTDOWN_DELAY_SECONDS: 0,
      SHUTDOWN_GRACE_SECONDS: 25,
    });
  });

  it('reads every variable from the environment, and ignores all others', () => {
    const given = {
      HOST: '0.0.0.0',
      PORT: '0',
      LOG_LEVEL: 'silent',
      BODY_LIMIT_BYTES: '1',
      SESSION_STORE: 'redis://127.0.0.1:6379/1',
      NESTING_LIMIT: '100',
      SESSION_TTL_SECONDS: '86400',
      SESSION_BUDGET_BYTES: '0',
      PROCESSES: '3',
      WORKERS: '0',
      WORK_LIMIT_OPERATIONS: '1000000000000',
      WORK_LIMIT_RESULT_BYTES: '1',
      BODIES_BUDGET_BYTES: '1',
      HEADER_LIMIT_BYTES: '8192',
      HEADERS_TIMEOUT_SECONDS: '1',
      REQUEST_TIMEOUT_SECONDS: '2',
      KEEP_ALIVE_TIMEOUT_SECONDS: '3',
      SEND_TIMEOUT_SECONDS: '4',
      REQUESTS_IN_FLIGHT_LIMIT: '5',
      EVENT_LOOP_DELAY_LIMIT_MS: '0',
      HEAP_LIMIT_BYTES: '0',
      RATE_LIMIT_PER_MINUTE: '600',
      TRUST_PROXY: 'loopback, 10.0.0.0/8,fc00::/7',
      API_KEYS_FILE: '/run/secrets/keys',
      CORS_ORIGINS: 'https://example.org,http://localhost:3000 , http://[::1]:3000',
      SHUTDOWN_DELAY_SECONDS: '5',
      SHUTDOWN_GRACE_SECONDS: '60',
    };
    const config = loadConfig({ ...given, PATH: '/bin', NODE_ENV: 'test', PORTS: 'x' });
    expect(Object.fromEntries(Object.entries(config).map(([name, value]) => [name, String(value)]))).toEqual(given);
    expect(typeof config.PORT).toBe('number');
  });

  it('does not change the environment that it reads', () => {
    const environment = { PORT: '81', OTHER: 'x' };
    loadConfig(environment);
    expect(environment).toEqual({ PORT: '81', OTHER: 'x' });
  });

  it('describes every variable', () => {
    for (const { description } of Object.values(ConfigSchema.properties)) expect(description).toMatch(/^[A-Z].*\.$/);
  });

  const port = 'an integer from 0 to 65535';
  const seconds = 'an integer from 1 to 2000000';
  const origins = 'origins separated by commas, such as https://example.org, or *';
  const storeAddress = STORE_ADDRESS_FORMS.join(' or ');
  const positive = 'an integer from 1 to 9007199254740991';

  it.each<[name: string, value: string, expected: string]>([
    ['HOST', '', 'a string of at least 1 characters'],
    ['PORT', '', port],
    ['PORT', 'http', port],
    ['PORT', '80.5', port],
    ['PORT', '-1', port],
    ['PORT', '65536', port],
    ['PORT', '8080x', port],
    ['PORT', 'true', port],
    ['PORT', ' 80', port],
    ['PORT', '80 ', port],
    ['PORT', '+80', port],
    ['PORT', '80.0', port],
    ['PORT', '0x50', port],
    ['PORT', '0b1', port],
    ['PORT', '8e1', port],
    ['PORT', '8_0', port],
    ['PORT', '８０', port],
    ['LOG_LEVEL', 'verbose', '"fatal" or "error" or "warn" or "info" or "debug" or "trace" or "silent"'],
    ['LOG_LEVEL', 'INFO', '"fatal" or "error" or "warn" or "info" or "debug" or "trace" or "silent"'],
    ['BODY_LIMIT_BYTES', '0', `an integer from 1 to ${constants.MAX_STRING_LENGTH}`],
    ['BODY_LIMIT_BYTES', '64MiB', `an integer from 1 to ${constants.MAX_STRING_LENGTH}`],
    ['BODY_LIMIT_BYTES', '1e12', `an integer from 1 to ${constants.MAX_STRING_LENGTH}`],
    ['SESSION_STORE', 'redis', storeAddress],
    ['SESSION_STORE', 'redis://host/name', storeAddress],
    ['SESSION_TTL_SECONDS', '0', 'an integer from 1 to 2147483647'],
    ['SESSION_TTL_SECONDS', '0.5', 'an integer from 1 to 2147483647'],
    ['SESSION_TTL_SECONDS', '1e12', 'an integer from 1 to 2147483647'],
    ['SESSION_BUDGET_BYTES', '-1', 'an integer from 0 to 9007199254740991'],
    ['SESSION_BUDGET_BYTES', '9007199254740992', 'an integer from 0 to 9007199254740991'],
    ['SESSION_BUDGET_BYTES', '1e300', 'an integer from 0 to 9007199254740991'],
    ['WORK_LIMIT_OPERATIONS', '0', positive],
    ['WORK_LIMIT_OPERATIONS', 'NaN', positive],
    ['WORK_LIMIT_RESULT_BYTES', '0', positive],
    ['WORK_LIMIT_RESULT_BYTES', '1_000', positive],
    ['NESTING_LIMIT', '5', 'an integer from 40 to 5000'],
    ['BODIES_BUDGET_BYTES', '0', positive],
    ['HEADER_LIMIT_BYTES', '100', 'an integer from 1024 to 1048576'],
    ['HEADERS_TIMEOUT_SECONDS', '0', seconds],
    ['REQUEST_TIMEOUT_SECONDS', '0', seconds],
    ['KEEP_ALIVE_TIMEOUT_SECONDS', '0', seconds],
    ['SEND_TIMEOUT_SECONDS', '1e9', seconds],
    ['REQUESTS_IN_FLIGHT_LIMIT', '0', 'an integer from 1 to 1000000'],
    ['EVENT_LOOP_DELAY_LIMIT_MS', '-1', 'an integer from 0 to 3600000'],
    ['HEAP_LIMIT_BYTES', '2GiB', 'an integer from 0 to 9007199254740991'],
    ['RATE_LIMIT_PER_MINUTE', '-1', 'an integer from 0 to 9007199254740991'],
    ['TRUST_PROXY', 'a b', 'addresses or networks separated by commas, such as 10.0.0.0/8 or loopback'],
    ['CORS_ORIGINS', 'example.org', origins],
    ['CORS_ORIGINS', 'https://example.org/', origins],
    ['CORS_ORIGINS', 'https://a.org,', origins],
    ['SHUTDOWN_DELAY_SECONDS', '-1', 'an integer from 0 to 2000000'],
    ['SHUTDOWN_GRACE_SECONDS', '0', seconds],
  ])('refuses %s=%s with one sentence', (name, value, expected) => {
    expect(() => loadConfig({ [name]: value })).toThrow(`${name} is ${JSON.stringify(value)}; expected ${expected}`);
    expect(() => loadConfig({ [name]: value })).toThrow(/^[^\n;]+; [^\n;]+$/);
  });

  it('hides the password of a store’s address', () => {
    const wrong = () => loadConfig({ SESSION_STORE: 'redis://:secret@here:port' });
    expect(wrong).toThrow('SESSION_STORE is "redis://…@here:port"; expected memory: or redis[s]://');
    expect(wrong).not.toThrow(/secret/);
  });

  it('names every invalid variable', () => {
    expect(() => loadConfig({ PORT: 'x', SESSION_TTL_SECONDS: 'y' })).toThrow(
      'PORT is "x"; expected an integer from 0 to 65535; SESSION_TTL_SECONDS is "y"; expected an integer from 1 to 2147483647',
    );
  });
});
