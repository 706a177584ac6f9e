/**
 * OpenTelemetry traces, loaded only if OpenTelemetry's environment variables enable them. Each request is a span, a
 * child of the client's span, with spans for reading, computing and writing a call below it.
 */
import { FastifyOtelInstrumentation } from '@fastify/otel';
import { diag, DiagLogLevel, SpanStatusCode, type Span } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  hostDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { TracingConfig } from '../../config.js';
import { methodLabel } from '../metrics.js';
import { version } from '../version.js';

/** An unreachable collector must not keep the process from exiting. */
const FLUSH_MS = 3000;

/** Routes that machines request every few seconds, whose traces would drown out all others. */
const UNTRACED = /^\/((v2\/)?health\/|metrics$)/;

async function trace(app: FastifyInstance, config: TracingConfig): Promise<void> {
  diag.setLogger(diagnostics(app.log), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': 'layerd', 'service.version': version }))
    .merge(detectResources({ detectors: [envDetector, hostDetector, serviceInstanceIdDetector] }));
  const provider = new NodeTracerProvider({
    resource,
    spanProcessors: [new Discreet(new BatchSpanProcessor(exporterOf(config)))],
  });
  provider.register();
  const instrumentation = new FastifyOtelInstrumentation({
    instrumentHooks: false,
    instrumentHandler: false,
    recordExceptions: false,
    ignorePaths: ({ url }: { url: string }) => UNTRACED.test(url.split('?', 1)[0]),
    requestHook: describe,
  });
  instrumentation.setTracerProvider(provider);
  await app.register(instrumentation.plugin());
  app.addHook('onResponse', (request, _reply, done) => {
    tracePhases(request);
    done();
  });
  app.addHook('onClose', () => flushed(provider));
}

export default fp(trace, { name: 'tracing', dependencies: ['request-log'] });

function exporterOf({ exporter, protocol }: TracingConfig): SpanExporter {
  if (exporter === 'console') return new ConsoleSpanExporter();
  return protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter();
}

/** By the semantic conventions for HTTP. The instrumentation records the path, which may contain a session token. */
function describe(span: Span, request: FastifyRequest): void {
  const method = methodLabel(request.method);
  const route = request.routeOptions.url;
  span.updateName(route === undefined ? method : `${method} ${route}`);
  span.setAttributes({
    'http.request.method': method,
    'url.path': route ?? '/',
    'url.scheme': 'http',
    'network.protocol.version': request.raw.httpVersion,
    'http.response.header.x-request-id': [request.id],
  });
  request.traceId = span.spanContext().traceId;
}

/** The times come from the thread that computed the call, once it is done. */
function tracePhases(request: FastifyRequest): void {
  const { layerCall: call } = request;
  const { context, tracer } = request.opentelemetry();
  if (!call?.account || !context) return;
  const { dtype, operations, numbersIn, numbersOut, times } = call.account;
  const attributes = { 'layerd.layer': call.layer, 'layerd.direction': call.direction, 'layerd.dtype': dtype };
  const phase = (name: string, startTime: number, endTime: number, more: Record<string, number>) => {
    tracer.startSpan(name, { startTime, attributes: { ...attributes, ...more } }, context).end(endTime);
  };
  phase('read', times.begun, times.read, { 'layerd.numbers': numbersIn });
  phase('compute', times.started, times.computed, { 'layerd.operations': operations });
  phase('write', times.computed, times.written, { 'layerd.numbers': numbersOut });
}

/**
 * Removes what clients sent from spans. The instrumentation treats every error as the service's own and records its
 * message, which may repeat the request; by the conventions, a client's mistake leaves the status unset. The request id
 * links a span to the log.
 */
class Discreet implements SpanProcessor {
  constructor(private readonly next: SpanProcessor) {}

  onStart(...started: Parameters<SpanProcessor['onStart']>): void {
    this.next.onStart(...started);
  }

  onEnd(span: ReadableSpan): void {
    const failed = Number(span.attributes['http.response.status_code'] ?? 0) >= 500;
    Object.assign(span, { status: { code: failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET }, events: [] });
    this.next.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.next.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.next.shutdown();
  }
}

async function flushed(provider: NodeTracerProvider): Promise<void> {
  let giveUp: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    giveUp = setTimeout(resolve, FLUSH_MS);
  });
  // Failures to send have been logged.
  await Promise.race([provider.shutdown().catch(() => undefined), late]);
  clearTimeout(giveUp);
}

/** Logs the SDK's diagnostics as warnings: requests are served regardless. */
function diagnostics(logger: FastifyBaseLogger) {
  const tell = (message: string) => {
    logger.warn({ about: 'traces' }, message);
  };
  return { error: tell, warn: tell, info: tell, debug: tell, verbose: tell };
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The trace that the request belongs to, for the log. */
    traceId?: string;
  }
}
