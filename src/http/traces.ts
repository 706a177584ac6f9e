/**
 * Traces by OpenTelemetry: loaded where its usual variables ask for them, and only there. A span for each request, as
 * the child of the client's; under it one each for the reading, the computing and the writing of a call.
 */
import { createRequire } from 'node:module';
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
import type { TracingConfig } from '../config.js';
import { methodLabel } from './metrics.js';

/** A collector that is away must not keep the process from ending. */
const FLUSH_MS = 3000;

/** What is asked for every few seconds by machines, and would drown the rest. */
const UNTRACED = /^\/(health\/|metrics$)/;

/** To be called before whatever else answers requests. */
export async function trace(app: FastifyInstance, config: TracingConfig, logger: FastifyBaseLogger): Promise<void> {
  const { version } = createRequire(import.meta.url)('#package.json') as { version: string };
  diag.setLogger(diagnostics(logger), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
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

function exporterOf({ exporter, protocol }: TracingConfig): SpanExporter {
  if (exporter === 'console') return new ConsoleSpanExporter();
  return protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter();
}

/** By the conventions for HTTP; the instrumentation has the path, which may hold a session's token, for the route. */
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

/** Times are known when all is done, and from the thread that did it. */
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
  phase('compute', times.read, times.computed, { 'layerd.operations': operations });
  phase('write', times.computed, times.written, { 'layerd.numbers': numbersOut });
}

/**
 * Keeps what a client sent to itself. The instrumentation takes every error for the service's own and notes its words,
 * which may repeat what came; the conventions have a client's mistake leave the status alone, and the request's id
 * leads to what the log knows.
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
  // What cannot be sent has been logged.
  await Promise.race([provider.shutdown().catch(() => undefined), late]);
  clearTimeout(giveUp);
}

/** The SDK's own troubles as lines of the log: requests are answered all the same, so none is an error. */
function diagnostics(logger: FastifyBaseLogger) {
  const tell = (message: string) => {
    logger.warn({ about: 'traces' }, message);
  };
  return { error: tell, warn: tell, info: tell, debug: tell, verbose: tell };
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the trace that the request is part of, for the log. */
    traceId?: string;
  }
}
