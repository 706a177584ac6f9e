/**
 * The metrics of calls in the form of Triton's statistics extension:
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
 */
import type { Static } from '@sinclair/typebox';
import type { ModelStatistics } from '../../schemas/inference.js';
import { callMetrics, type Snapshot } from './metrics.js';
import type { Model } from './models.js';

/** The entry of each model, from the metrics of all processes. */
export function statisticsOf(models: readonly Model[], metrics: Snapshot): Static<typeof ModelStatistics> {
  const samples = new Map(metrics.map(({ name, values }) => [name, values]));
  return { model_stats: models.map((model) => entryOf(model, samples)) };
}

function entryOf(
  { name, version, layer, direction }: Model,
  samples: ReadonlyMap<string, Snapshot[number]['values']>,
): Static<typeof ModelStatistics>['model_stats'][number] {
  /** Over all dtypes. */
  const sum = (metric: string, phase?: string): number =>
    (samples.get(metric) ?? [])
      .filter(({ labels }) => labels.layer === layer && labels.direction === direction && labels.phase === phase)
      .reduce((total, { value }) => total + value, 0);
  const count = sum(callMetrics.answered);
  const took = (phase: string) => ({ count, ns: nanoseconds(sum(callMetrics.seconds, phase)) });
  const queue = took('queue');
  const computed = { compute_input: took('read'), compute_infer: took('compute'), compute_output: took('write') };
  const none = { count: 0, ns: 0 };
  return {
    name,
    version,
    last_inference: Math.floor(sum(callMetrics.last) * 1000),
    inference_count: count,
    execution_count: count,
    inference_stats: {
      success: { count, ns: [queue, ...Object.values(computed)].reduce((total, { ns }) => total + ns, 0) },
      fail: { count: sum(callMetrics.failed), ns: nanoseconds(sum(callMetrics.failedSeconds)) },
      queue,
      ...computed,
      cache_hit: none,
      cache_miss: none,
    },
    response_stats: {},
    // The batch is an axis of the tensors; Triton counts such executions with batch size 1.
    batch_stats: count === 0 ? [] : [{ batch_size: 1, ...computed }],
    memory_usage: [],
  };
}

function nanoseconds(seconds: number): number {
  return Math.round(seconds * 1e9);
}
