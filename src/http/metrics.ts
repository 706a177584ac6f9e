/**
 * Prometheus metrics. Those of HTTP bear the names and labels of OpenTelemetry's semantic conventions
 * (https://opentelemetry.io/docs/specs/semconv/http/http-metrics/), in the form that Prometheus gives them. What a
 * label says is never taken from a request but by way of a list: no path, no token, no method of a client's making.
 */
import {
  AggregatorRegistry,
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  Registry,
  type Aggregator,
  type MetricObjectWithValues,
  type MetricValueWithName,
} from 'prom-client';
import type { Account } from '../compute/account.js';
import type { Operation } from '../compute/call.js';
import type { Sessions } from '../compute/computation.js';
import { Refusal, type RefusalKind } from '../refusal.js';
import type { SessionStore } from '../sessions/store.js';
import type { Usage } from '../workers/executor.js';
import { problemKinds } from './problems.js';

/** The metrics of one process, as plain data. */
export type Snapshot = readonly MetricObjectWithValues<MetricValueWithName<string>>[];

/** From the metrics of this process those of all: undefined where they do not come in time. */
export type Gather = (own: () => Promise<Snapshot>) => () => Promise<readonly Snapshot[] | undefined>;

/** A call of a layer, and what it did once it is answered. */
export interface LayerCall {
  readonly layer: string;
  readonly direction: Operation['direction'];
  account?: Account;
}

/** How a request ended. */
export interface Ended {
  readonly method: string;
  /** Its template; undefined where there is no such route. */
  readonly route: string | undefined;
  /** Undefined where the client went away before the end. */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** Type of the problem that was answered with. */
  readonly problem: string | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly call: LayerCall | undefined;
}

export interface Metrics {
  readonly contentType: string;
  /** Undefined where those of the other processes do not come in time. */
  text(): Promise<string | undefined>;
  began(method: string): void;
  ended(ended: Ended): void;
  /** The store with what is made in it counted. */
  countingSessions(store: SessionStore): Sessions;
  /** To be read whenever the metrics are. */
  watchSessions(store: SessionStore, budgetBytes: number): void;
  watchWorkers(usage: () => Usage): void;
}

/** Buckets that OpenTelemetry advises, in seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** From a small request to the default limit of a body; the conventions advise none. */
const BYTES = [2 ** 10, 2 ** 14, 2 ** 18, 2 ** 22, 2 ** 26];

const HTTP_LABELS = [
  'http_request_method',
  'http_route',
  'http_response_status_code',
  'error_type',
  'url_scheme',
] as const;

/** All others are `_OTHER`, as the conventions want it. */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE']);

/**
 * What calls of one kind have done. Added up here and given to the library when it is read: its counters look their
 * labels up anew each time, which for these took 5 of the 8 µs that a request's metrics cost.
 */
interface Tally {
  readonly labels: { readonly layer: string; readonly direction: string; readonly dtype: string };
  calls: number;
  operations: number;
  numbersIn: number;
  numbersOut: number;
  readMs: number;
  computeMs: number;
  writeMs: number;
}

/** Why a session that was asked for is not kept. */
const NOT_KEPT: readonly RefusalKind[] = ['session-store-full', 'session-too-large'];

/** A store that does not answer must not keep the other metrics from being read. */
const STORE_PATIENCE_MS = 1000;

/** How the figures of several processes become one, where it is not the library's way. */
const TOGETHER: Readonly<Record<string, Aggregator>> = {
  // Whoever waits may wait for the slowest.
  nodejs_eventloop_lag_seconds: 'max',
  nodejs_eventloop_lag_mean_seconds: 'max',
  nodejs_eventloop_lag_p50_seconds: 'max',
  nodejs_eventloop_lag_p90_seconds: 'max',
  nodejs_eventloop_lag_p99_seconds: 'max',
  process_start_time_seconds: 'min',
};

export function methodLabel(method: string): string {
  return METHODS.has(method) ? method : '_OTHER';
}

/** `/problems/not-found` to `not-found`. */
const nameOf = (type: string): string => type.slice(type.lastIndexOf('/') + 1);

export function metricsOf(layerNames: readonly string[], gather?: Gather): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const [name, aggregator] of Object.entries(TOGETHER)) {
    const metric = registry.getSingleMetric(name);
    if (metric) Object.assign(metric, { aggregator });
  }

  const http = { labelNames: HTTP_LABELS, registers };
  const duration = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time from the request to the end of its answer.',
    buckets: SECONDS,
    ...http,
  });
  const requestBytes = new Histogram({
    name: 'http_server_request_body_size_bytes',
    help: 'Bytes of the bodies that came.',
    buckets: BYTES,
    ...http,
  });
  const responseBytes = new Histogram({
    name: 'http_server_response_body_size_bytes',
    help: 'Bytes of the bodies that were answered with.',
    buckets: BYTES,
    ...http,
  });
  const inFlight = new Map<string, number>();
  new Gauge({
    name: 'http_server_active_requests',
    help: 'Requests in flight.',
    labelNames: ['http_request_method', 'url_scheme'],
    registers,
    collect() {
      for (const [method, count] of inFlight) this.set({ http_request_method: method, url_scheme: 'http' }, count);
    },
  });
  const problems = new Counter({
    name: 'layerd_problems_total',
    help: 'Requests that were answered with a problem, by its type.',
    labelNames: ['problem'],
    registers,
  });

  const tallies = new Map<string, Tally>();
  for (const layer of layerNames)
    for (const direction of ['forward', 'backward'])
      for (const dtype of ['float64', 'float32'])
        tallies.set(`${layer} ${direction} ${dtype}`, {
          labels: { layer, direction, dtype },
          ...{ calls: 0, operations: 0, numbersIn: 0, numbersOut: 0, readMs: 0, computeMs: 0, writeMs: 0 },
        });
  const perCall = (name: string, help: string, of: (tally: Tally) => number) =>
    new Counter({
      name,
      help,
      labelNames: ['layer', 'direction', 'dtype'],
      registers,
      collect() {
        this.reset();
        for (const tally of tallies.values()) this.inc(tally.labels, of(tally));
      },
    });
  perCall('layerd_calls_total', 'Calls of layers that were answered.', ({ calls }) => calls);
  perCall(
    'layerd_operations_total',
    'Multiplications and additions of the calls that were answered, as computed from their shapes.',
    ({ operations }) => operations,
  );
  perCall(
    'layerd_numbers_in_total',
    'Elements of the tensors that came, of the calls that were answered.',
    ({ numbersIn }) => numbersIn,
  );
  perCall('layerd_numbers_out_total', 'Elements of the tensors that were answered with.', (tally) => tally.numbersOut);
  new Counter({
    name: 'layerd_call_seconds_total',
    help: 'Time that the calls that were answered took to be read, computed and written, on whichever thread.',
    labelNames: ['layer', 'direction', 'phase'],
    registers,
    collect() {
      this.reset();
      for (const { labels, readMs, computeMs, writeMs } of tallies.values()) {
        const { layer, direction } = labels;
        this.inc({ layer, direction, phase: 'read' }, readMs / 1000);
        this.inc({ layer, direction, phase: 'compute' }, computeMs / 1000);
        this.inc({ layer, direction, phase: 'write' }, writeMs / 1000);
      }
    },
  });

  const created = new Counter({
    name: 'layerd_sessions_created_total',
    help: 'Sessions that forward calls have made.',
    registers,
  });
  const refused = new Counter({
    name: 'layerd_sessions_refused_total',
    help: 'Sessions that could not be kept, by reason.',
    labelNames: ['reason'],
    registers,
  });

  // From the start on, so that the first of a kind is an increase.
  for (const name of Object.keys(problemKinds)) problems.inc({ problem: name }, 0);
  for (const reason of NOT_KEPT) refused.inc({ reason }, 0);

  const gauge = (
    name: string,
    help: string,
    value: () => number | undefined | Promise<number | undefined>,
    aggregator: Aggregator = 'sum',
  ) =>
    new Gauge({
      name,
      help,
      registers,
      aggregator,
      async collect() {
        const measured = await value();
        // No sample, where there is nothing that this process could tell.
        if (measured === undefined) this.remove();
        else this.set(measured);
      },
    });
  gauge('layerd_processes', 'Server processes that are counted here.', () => 1);
  new Counter({
    name: 'layerd_process_restarts_total',
    // The primary counts them.
    help: 'Server processes that died and were started again.',
    registers,
  });

  const snapshot = () => registry.getMetricsAsJSON() as unknown as Promise<Snapshot>;
  const all = gather?.(snapshot);
  return {
    contentType: registry.contentType,

    async text() {
      if (!all) return registry.metrics();
      const snapshots = await all();
      // Those of this process alone would be taken for those of all.
      return snapshots && AggregatorRegistry.aggregate([...snapshots]).metrics();
    },

    began(method) {
      const label = methodLabel(method);
      inFlight.set(label, (inFlight.get(label) ?? 0) + 1);
    },

    ended({ method, route, status, durationMs, problem: type, bytesIn, bytesOut, call }) {
      const label = methodLabel(method);
      inFlight.set(label, (inFlight.get(label) ?? 0) - 1);
      const labels = {
        http_request_method: label,
        url_scheme: 'http',
        ...(route === undefined ? {} : { http_route: route }),
        ...(status === undefined ? { error_type: 'aborted' } : { http_response_status_code: String(status) }),
        // A client's mistake is not an error of the server, in the conventions' sense.
        ...(status !== undefined && status >= 500 ? { error_type: nameOf(type ?? String(status)) } : {}),
      };
      duration.observe(labels, durationMs / 1000);
      requestBytes.observe(labels, bytesIn);
      if (status !== undefined) responseBytes.observe(labels, bytesOut);
      if (type !== undefined) problems.inc({ problem: nameOf(type) });
      if (!call?.account) return;
      const { layer, direction, account } = call;
      const tally = tallies.get(`${layer} ${direction} ${account.dtype}`);
      if (!tally) return;
      const { begun, read, computed, written } = account.times;
      tally.calls++;
      tally.operations += account.operations;
      tally.numbersIn += account.numbersIn;
      tally.numbersOut += account.numbersOut;
      tally.readMs += read - begun;
      tally.computeMs += computed - read;
      tally.writeMs += written - computed;
    },

    countingSessions: (store) => ({
      ttlMs: store.ttlMs,
      async create(session) {
        try {
          const token = await store.create(session);
          created.inc();
          return token;
        } catch (error) {
          if (error instanceof Refusal && NOT_KEPT.includes(error.kind)) refused.inc({ reason: error.kind });
          throw error;
        }
      },
      use: (token, owner) => store.use(token, owner),
      delete: (token, owner) => store.delete(token, owner),
    }),

    watchSessions(store, budgetBytes) {
      // One question for all that are read at once.
      let asked: ReturnType<SessionStore['usage']> | undefined;
      const usage = () => (asked ??= store.usage().finally(() => (asked = undefined)));
      const held = (of: 'sessions' | 'bytes') => () => inTime(usage().then((figures) => figures?.[of]));
      gauge('layerd_sessions', 'Sessions held.', held('sessions'));
      gauge('layerd_sessions_bytes', 'Memory of the sessions held, in bytes.', held('bytes'));
      gauge('layerd_sessions_budget_bytes', 'Memory that sessions may take, in bytes.', () => budgetBytes);
      new Counter({
        name: 'layerd_sessions_expired_total',
        help: 'Sessions that nobody used until their life ended, where the store sees them end.',
        registers,
        async collect() {
          const expired = await inTime(store.expired?.() ?? Promise.resolve(0));
          if (expired === undefined || Number.isNaN(expired)) return;
          this.reset();
          this.inc(expired);
        },
      });
    },

    watchWorkers(usage) {
      gauge('layerd_worker_threads', 'Worker threads that there may be.', () => usage().threads);
      gauge('layerd_worker_threads_busy', 'Worker threads that run a call.', () => usage().busy);
      gauge('layerd_worker_calls_queued', 'Calls that wait for a worker thread.', () => usage().queued);
    },
  };
}

/** The figure, or NaN, which Prometheus draws as a gap, where the store fails or takes too long. */
async function inTime(figure: Promise<number | undefined>): Promise<number | undefined> {
  let giveUp: NodeJS.Timeout | undefined;
  const late = new Promise<number>((resolve) => {
    giveUp = setTimeout(resolve, STORE_PATIENCE_MS, NaN);
  });
  try {
    return await Promise.race([figure, late]);
  } catch {
    return NaN;
  } finally {
    clearTimeout(giveUp);
  }
}
