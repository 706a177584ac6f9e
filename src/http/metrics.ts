/**
 * Prometheus metrics. The HTTP metrics have the names and labels of OpenTelemetry's semantic conventions
 * (https://opentelemetry.io/docs/specs/semconv/http/http-metrics/) in their Prometheus form. Label values come only from
 * fixed lists, never directly from a request: no path, no token, no unknown method.
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
import type { Account } from '../calls/account.js';
import type { CallHead } from '../calls/call.js';
import { Refusal, type RefusalKind } from '../refusal.js';
import type { Sessions } from '../sessions/sequences.js';
import type { SessionStore } from '../sessions/store.js';
import type { Usage } from '../runtime/threads/threads.js';
import { ProblemError, problemKinds } from './problems.js';

/** The metrics of one process, as plain data. */
export type Snapshot = readonly MetricObjectWithValues<MetricValueWithName<string>>[];

/** Collects the metrics of all processes; undefined if they do not arrive in time. */
export type Gather = (own: () => Promise<Snapshot>) => () => Promise<readonly Snapshot[] | undefined>;

/** A call of a layer, and how it ended. Times are in milliseconds since 1970. */
export interface LayerCall {
  readonly layer: string;
  readonly direction: CallHead['direction'];
  /** When the request was handed over to be computed. */
  readonly queued: number;
  /** What it did, once it has been answered. */
  account?: Account;
  /** When it failed, or was refused. */
  failed?: number;
}

/** Names of the metrics from which Triton's statistics are also derived. */
export const callMetrics = {
  answered: 'layerd_calls_total',
  seconds: 'layerd_call_seconds_total',
  failed: 'layerd_failed_calls_total',
  failedSeconds: 'layerd_failed_call_seconds_total',
  last: 'layerd_last_call_timestamp_seconds',
} as const;

/** How a request ended. */
export interface Ended {
  readonly method: string;
  /** The route's template; undefined if no route matches. */
  readonly route: string | undefined;
  /** Undefined if the client disconnected before the end. */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** Type of the problem that was sent. */
  readonly problem: string | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly call: LayerCall | undefined;
}

export interface Metrics {
  readonly contentType: string;
  /**
   * The metrics of all processes, in the Prometheus text format.
   * @throws {ProblemError} metrics-unavailable if another process does not report in time
   */
  text(): Promise<string>;
  /**
   * The same, as plain data.
   * @throws {ProblemError} metrics-unavailable
   */
  snapshot(): Promise<Snapshot>;
  began(method: string): void;
  ended(ended: Ended): void;
  /** Wraps sessions so that those created are counted. */
  countingSessions(sessions: Sessions): Sessions;
  /** Reads the store whenever the metrics are read. */
  watchSessions(store: SessionStore, budgetBytes: number): void;
  watchWorkers(usage: () => Usage): void;
}

/** The buckets that OpenTelemetry recommends, in seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Buckets from 1 KiB to the default body limit; the conventions recommend none. */
const BYTES = [2 ** 10, 2 ** 14, 2 ** 18, 2 ** 22, 2 ** 26];

const HTTP_LABELS = [
  'http_request_method',
  'http_route',
  'http_response_status_code',
  'error_type',
  'url_scheme',
] as const;

/** By the conventions, all other methods are `_OTHER`. */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE']);

/**
 * Totals of the calls of one kind. They are added up here and copied to the library's counters when the metrics are
 * read: a counter looks up its labels on each update, which took 5 of the 8 µs that the metrics of a request cost.
 */
type Tally = typeof NO_CALLS & {
  readonly labels: { readonly layer: string; readonly direction: string; readonly dtype: string };
};

const NO_CALLS = {
  ...{ calls: 0, operations: 0, numbersIn: 0, numbersOut: 0 },
  ...{ queueMs: 0, readMs: 0, computeMs: 0, writeMs: 0 },
};

/** Totals of the calls of one layer and direction over all dtypes: the dtype of a failed call may be unknown. */
interface Ends {
  readonly labels: { readonly layer: string; readonly direction: string };
  failed: number;
  failedMs: number;
  /** When the latest call was answered; 0 before the first. */
  lastMs: number;
}

/** The phases of a call. */
const PHASES = ['queue', 'read', 'compute', 'write'] as const;

/** Reasons why a requested session is not kept. */
const NOT_KEPT: readonly RefusalKind[] = ['session-store-full', 'session-too-large'];

/** How long to wait for the store: if it does not respond, the other metrics are still returned. */
const STORE_PATIENCE_MS = 1000;

/** By then, processes that were only busy have caught up. */
const RETRY_SECONDS = 1;

/** How the values of several processes are combined if the library's default is wrong. */
const TOGETHER: Readonly<Record<string, Aggregator>> = {
  // A client may be waiting for the slowest process.
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

export function createMetrics(layerNames: readonly string[], gather?: Gather): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const [name, aggregator] of Object.entries(TOGETHER)) {
    const metric = registry.getSingleMetric(name);
    if (metric) Object.assign(metric, { aggregator });
  }

  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, buckets, labelNames: HTTP_LABELS, registers });
  const duration = histogram(
    'http_server_request_duration_seconds',
    'Time from the request to the end of its response.',
    SECONDS,
  );
  const requestBytes = histogram('http_server_request_body_size_bytes', 'Size of request bodies.', BYTES);
  const responseBytes = histogram('http_server_response_body_size_bytes', 'Size of response bodies.', BYTES);
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
  const total = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const problems = total('layerd_problems_total', 'Requests answered with a problem, by its type.', 'problem');

  const tallies = new Map<string, Tally>();
  const ends = new Map<string, Ends>();
  for (const layer of layerNames)
    for (const direction of ['forward', 'backward']) {
      ends.set(`${layer} ${direction}`, { labels: { layer, direction }, failed: 0, failedMs: 0, lastMs: 0 });
      for (const dtype of ['float64', 'float32'])
        tallies.set(`${layer} ${direction} ${dtype}`, { labels: { layer, direction, dtype }, ...NO_CALLS });
    }
  const counter = <Labels extends string>(
    name: string,
    help: string,
    labelNames: readonly Labels[],
    samples: () => (readonly [Record<Labels, string>, number])[],
  ) =>
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [labels, value] of samples()) this.inc(labels, value);
      },
    });
  const perCall = (name: string, help: string, of: (tally: Tally) => number) =>
    counter(name, help, ['layer', 'direction', 'dtype'], () => [...tallies.values()].map((t) => [t.labels, of(t)]));
  perCall(callMetrics.answered, 'Calls of layers that succeeded.', ({ calls }) => calls);
  perCall(
    'layerd_operations_total',
    'Multiplications and additions of the calls that succeeded, computed from their shapes.',
    ({ operations }) => operations,
  );
  perCall(
    'layerd_numbers_in_total',
    'Elements of the request tensors of calls that succeeded.',
    ({ numbersIn }) => numbersIn,
  );
  perCall('layerd_numbers_out_total', 'Elements of the response tensors.', (tally) => tally.numbersOut);
  counter(
    callMetrics.seconds,
    'Time that successful calls took, by phase: queue, read, compute and write.',
    ['layer', 'direction', 'phase'],
    () =>
      [...tallies.values()].flatMap(({ labels: { layer, direction }, ...tally }) =>
        PHASES.map((phase) => [{ layer, direction, phase }, tally[`${phase}Ms`] / 1000] as const),
      ),
  );
  const perEnd = (name: string, help: string, of: (end: Ends) => number) =>
    counter(name, help, ['layer', 'direction'], () => [...ends.values()].map((end) => [end.labels, of(end)]));
  perEnd(callMetrics.failed, 'Calls of layers that were refused or failed.', ({ failed }) => failed);
  perEnd(
    callMetrics.failedSeconds,
    'Time that refused and failed calls took, including the queue.',
    ({ failedMs }) => failedMs / 1000,
  );
  new Gauge({
    name: callMetrics.last,
    help: 'When the latest call succeeded, in seconds since 1970; 0 before the first.',
    aggregator: 'max',
    labelNames: ['layer', 'direction'],
    registers,
    collect() {
      for (const { labels, lastMs } of ends.values()) this.set(labels, lastMs / 1000);
    },
  });

  const created = total('layerd_sessions_created_total', 'Sessions that forward calls have created.');
  const refused = total('layerd_sessions_refused_total', 'Sessions that could not be kept, by reason.', 'reason');

  // Present from the start, so that the first occurrence is an increase.
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
        // No sample if this process has no value.
        if (measured === undefined) this.remove();
        else this.set(measured);
      },
    });
  gauge('layerd_processes', 'Server processes included in these metrics.', () => 1);
  // The primary counts them.
  total('layerd_process_restarts_total', 'Server processes that died and were started again.');

  const snapshot = () => registry.getMetricsAsJSON() as unknown as Promise<Snapshot>;
  const all = gather?.(snapshot);
  async function ofAll(): Promise<Registry> {
    if (!all) return registry;
    const snapshots = await all();
    if (snapshots) return AggregatorRegistry.aggregate([...snapshots]);
    // The metrics of one process would be mistaken for those of all.
    throw new ProblemError(
      'metrics-unavailable',
      'not all processes reported their metrics in time; expected a report from each',
      { 'retry-after': RETRY_SECONDS },
    );
  }
  return {
    contentType: registry.contentType,
    text: async () => (await ofAll()).metrics(),
    snapshot: async () => (await ofAll()).getMetricsAsJSON(),

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
        // By the conventions, a client's mistake is not an error of the server.
        ...(status !== undefined && status >= 500 ? { error_type: nameOf(type ?? String(status)) } : {}),
      };
      duration.observe(labels, durationMs / 1000);
      requestBytes.observe(labels, bytesIn);
      if (status !== undefined) responseBytes.observe(labels, bytesOut);
      if (type !== undefined) problems.inc({ problem: nameOf(type) });
      if (!call) return;
      const { layer, direction, queued, account, failed } = call;
      const end = ends.get(`${layer} ${direction}`);
      if (end && failed !== undefined) {
        end.failed++;
        end.failedMs += failed - queued;
      }
      const tally = account && tallies.get(`${layer} ${direction} ${account.dtype}`);
      if (!end || !tally) return;
      const { begun, read, started, computed, written } = account.times;
      end.lastMs = Math.max(end.lastMs, written);
      tally.calls++;
      tally.operations += account.operations;
      tally.numbersIn += account.numbersIn;
      tally.numbersOut += account.numbersOut;
      // The clocks of two threads may differ by more than the call waited.
      tally.queueMs += Math.max(0, begun - queued) + Math.max(0, started - read);
      tally.readMs += read - begun;
      tally.computeMs += computed - started;
      tally.writeMs += written - computed;
    },

    countingSessions: (sessions) => ({
      ttlMs: sessions.ttlMs,
      tokens: sessions.tokens,
      async keep(token, session, sequence) {
        try {
          await sessions.keep(token, session, sequence);
          created.inc();
        } catch (error) {
          if (error instanceof Refusal && NOT_KEPT.includes(error.kind)) refused.inc({ reason: error.kind });
          throw error;
        }
      },
      use: (name, owner) => sessions.use(name, owner),
      delete: (token, owner, sequence) => sessions.delete(token, owner, sequence),
    }),

    watchSessions(store, budgetBytes) {
      // One query for all gauges that are read together.
      let asked: ReturnType<SessionStore['usage']> | undefined;
      const usage = () => (asked ??= store.usage().finally(() => (asked = undefined)));
      const held = (of: 'sessions' | 'bytes') => () => inTime(usage().then((figures) => figures?.[of]));
      gauge('layerd_sessions', 'Sessions held.', held('sessions'));
      gauge('layerd_sessions_bytes', 'Memory of the sessions held, in bytes.', held('bytes'));
      gauge('layerd_sessions_budget_bytes', 'Memory limit for sessions, in bytes.', () => budgetBytes);
      new Counter({
        name: 'layerd_sessions_expired_total',
        help: 'Sessions that expired, if the store counts them.',
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
      gauge('layerd_worker_threads', 'Maximum number of worker threads.', () => usage().threads);
      gauge('layerd_worker_threads_busy', 'Worker threads running a call.', () => usage().busy);
      gauge('layerd_worker_calls_queued', 'Calls waiting for a worker thread.', () => usage().queued);
    },
  };
}

/** The value; NaN, which Prometheus draws as a gap, if the store fails or takes too long. */
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
