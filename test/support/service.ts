/** The service on a free port, with a clock that is set by hand and a captured log; closed with its test. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import supertest from 'supertest';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { buildApp } from '../../src/http/app.js';

export interface Clock {
  (): number;
  advance(seconds: number): void;
}

/** Does not advance by itself. */
export function handClock(start = Date.UTC(2026, 0, 1)): Clock {
  let now = start;
  return Object.assign(() => now, {
    advance(seconds: number) {
      now += seconds * 1000;
    },
  });
}

export type LogLine = Readonly<Record<string, unknown>>;

export interface Service {
  readonly app: FastifyInstance;
  readonly port: number;
  /** Without a trailing slash. */
  readonly url: string;
  /** Supertest on the listening socket. */
  readonly client: ReturnType<typeof supertest>;
  readonly clock: Clock;
  /** Every line logged so far. */
  readonly log: readonly LogLine[];
}

/** Environment variables in addition to the defaults, as `loadConfig` reads them. */
export type Overrides = Readonly<Record<string, string>>;

/**
 * Worker threads would need compiled files, so everything runs on the event loop here, without a limit on its delay.
 * `process.ts` starts the compiled service.
 */
async function start(overrides: Overrides, extend?: (app: FastifyInstance) => void): Promise<Service> {
  const config = loadConfig({ WORKERS: '0', EVENT_LOOP_DELAY_LIMIT_MS: '0', ...overrides });
  const log: LogLine[] = [];
  const logger = pino(
    { level: config.LOG_LEVEL },
    {
      write(line: string) {
        log.push(JSON.parse(line) as LogLine);
      },
    },
  );
  const clock = handClock();
  const app = await buildApp({ config, logger, clock });
  extend?.(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return { app, port, url, client: supertest(url), clock, log };
}

async function stop({ app }: Service): Promise<void> {
  const closed = app.close();
  // Connections that a failed test has left open must not delay the others.
  app.server.closeAllConnections();
  await closed;
}

/**
 * Must be called in a test: a service for only that test.
 * @param extend adds routes for the test, such as one that fails
 */
export async function serve(overrides: Overrides = {}, extend?: (app: FastifyInstance) => void): Promise<Service> {
  const service = await start(overrides, extend);
  onTestFinished(() => stop(service));
  return service;
}

/** Must be called in a suite: one service for all its tests, available once they start. */
export function serveAll(overrides: Overrides = {}): () => Service {
  let service: Service | undefined;
  beforeAll(async () => {
    service = await start(overrides);
  });
  afterAll(async () => {
    if (service) await stop(service);
  });
  return () => {
    if (!service) throw new Error('the service is there only while tests run');
    return service;
  };
}

/** A successful answer of a layer. */
export interface Answer {
  readonly [name: string]: unknown;
  /** Returned by forward, unless it was told to create none. */
  readonly session: string;
}

/** @param path without its leading slash, such as `linear/forward` */
export async function call({ client }: Service, path: string, body: object): Promise<Answer> {
  const response = await client.post(`/${path}`).send(body).expect(200);
  return response.body as Answer;
}
