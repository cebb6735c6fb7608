import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { AttributeValue, Span, SpanKind, Tracer } from '@opentelemetry/api';
import type { Request, Response } from 'express';

import { Config } from './config';
import { Logger } from './logger';

/** The parts of OpenTelemetry that are used here; they are loaded only where traces are wanted. */
interface Telemetry {
  api: typeof import('@opentelemetry/api');
  tracer: Tracer;
  shutdown: () => Promise<void>;
}

/**
 * Sends traces with OTLP over HTTP (protobuf) as soon as OTEL_EXPORTER_OTLP_ENDPOINT is set; the other OTEL_* variables
 * mean what OpenTelemetry says. A request continues the trace of its traceparent header. Spans of your own:
 * `trace.getTracer('...')` of @opentelemetry/api.
 */
@Injectable()
export class Tracing implements OnModuleInit, OnApplicationShutdown {
  private telemetry: Telemetry | null = null;

  constructor(
    private readonly config: Config,
    private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    const on = this.config.section(
      (variables) =>
        variables.text('OTEL_EXPORTER_OTLP_ENDPOINT', variables.text('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', '')) !==
          '' &&
        variables.text('OTEL_SDK_DISABLED', 'false').toLowerCase() !== 'true' &&
        variables.text('OTEL_TRACES_EXPORTER', 'otlp') !== 'none',
    );
    if (on) {
      this.telemetry = await load(this.config.projectName, this.logger);
    }
  }

  /** Sends what has not been sent yet. */
  async onApplicationShutdown(): Promise<void> {
    try {
      await this.telemetry?.shutdown();
    } catch (error) {
      this.logger.warn('traces not sent', { error });
    }
  }

  /** Runs the rest of a request in a span that ends with the answer. It gets the trace's id, which is empty without one. */
  request(request: Request, response: Response, path: string, run: (traceId: string) => void): void {
    if (this.telemetry === null) {
      run('');
      return;
    }
    const { api, tracer } = this.telemetry;
    const parent = api.propagation.extract(api.ROOT_CONTEXT, request.headers);
    const span = tracer.startSpan(
      `${request.method} ${route(path)}`,
      { kind: api.SpanKind.SERVER, attributes: { 'http.request.method': request.method, 'url.path': path } },
      parent,
    );
    response.once('close', () => {
      span.setAttribute('http.response.status_code', response.statusCode);
      if (response.statusCode >= 500) {
        span.setStatus({ code: api.SpanStatusCode.ERROR });
      }
      span.end();
    });
    api.context.with(api.trace.setSpan(parent, span), () => run(span.spanContext().traceId));
  }

  /** Runs work in a span, within that of the headers where there are some; a span of an error when it fails. */
  async span<T>(
    name: string,
    attributes: Record<string, AttributeValue>,
    work: () => Promise<T>,
    headers: Record<string, string> = {},
  ): Promise<T> {
    if (this.telemetry === null) {
      return work();
    }
    const { api, tracer } = this.telemetry;
    const kind: SpanKind = api.SpanKind.INTERNAL;
    const parent = api.propagation.extract(api.context.active(), headers);
    return tracer.startActiveSpan(name, { kind, attributes }, parent, async (span: Span) => {
      try {
        return await work();
      } catch (error) {
        span.setStatus({ code: api.SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  }

  /** Makes the span under way one of an error. */
  fail(): void {
    this.telemetry?.api.trace.getActiveSpan()?.setStatus({ code: this.telemetry.api.SpanStatusCode.ERROR });
  }

  /** The headers that let another service continue the trace. */
  headers(): Record<string, string> {
    const carrier: Record<string, string> = {};
    this.telemetry?.api.propagation.inject(this.telemetry.api.context.active(), carrier);
    return carrier;
  }
}

/** A span's name must not differ with each request: only the action is told, not the file or the page's details. */
function route(path: string): string {
  return path.startsWith('/actions/') ? path : `/${path.split('/')[1] ?? ''}`;
}

async function load(projectName: string, logger: Logger): Promise<Telemetry> {
  const [api, hooks, core, exporter, resources, sdk] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/context-async-hooks'),
    import('@opentelemetry/core'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace-base'),
  ]);
  core.setGlobalErrorHandler((error) => logger.warn('traces not sent', { error }));
  const provider = new sdk.BasicTracerProvider({
    resource: resources
      .defaultResource()
      .merge(resources.resourceFromAttributes({ 'service.name': `${projectName}-nestjs` }))
      .merge(resources.detectResources({ detectors: [resources.envDetector] })),
    spanProcessors: [new sdk.BatchSpanProcessor(new exporter.OTLPTraceExporter())],
  });
  const contexts = new hooks.AsyncLocalStorageContextManager();
  contexts.enable();
  api.context.setGlobalContextManager(contexts);
  api.propagation.setGlobalPropagator(
    new core.CompositePropagator({
      propagators: [new core.W3CTraceContextPropagator(), new core.W3CBaggagePropagator()],
    }),
  );
  api.trace.setGlobalTracerProvider(provider);
  return { api, tracer: provider.getTracer('nestjs-functions'), shutdown: () => provider.shutdown() };
}
