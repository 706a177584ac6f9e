/** The service on a free port of its own, with a clock that is set by hand and its log kept; closed with its test. */
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

/** Stands still until it is moved. */
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
  /** Without a slash at its end. */
  readonly url: string;
  /** Supertest against the listening socket. */
  readonly client: ReturnType<typeof supertest>;
  readonly clock: Clock;
  /** Every line logged so far. */
  readonly log: readonly LogLine[];
}

/** Environment variables beside the defaults, as `loadConfig` reads them. */
export type Overrides = Readonly<Record<string, string>>;

/**
 * Threads want compiled files, so here everything is computed on the event loop, however late it is; `process.ts` starts
 * the rest.
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
  // What a failed test has left open must not hold up the others.
  app.server.closeAllConnections();
  await closed;
}

/**
 * To be called in a test: a service for that test alone.
 * @param extend adds what the service has not, such as a route that fails
 */
export async function serve(overrides: Overrides = {}, extend?: (app: FastifyInstance) => void): Promise<Service> {
  const service = await start(overrides, extend);
  onTestFinished(() => stop(service));
  return service;
}

/** To be called in a suite: one service for all its tests, there from their start on. */
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

/** What a layer answered, when all went well. */
export interface Answer {
  readonly [name: string]: unknown;
  /** Of forward, unless it was told to keep none. */
  readonly session: string;
}

/** @param path without its first slash, e.g. `linear/forward` */
export async function call({ client }: Service, path: string, body: object): Promise<Answer> {
  const response = await client.post(`/${path}`).send(body).expect(200);
  return response.body as Answer;
}
