/** Builds an input that exposes known mistakes. */
import { CaseRequest } from '../../schemas/check.js';
import { caseOf, MOST_TRIES } from '../check/case.js';
import type { Instance } from '../layers/instance.js';
import type { Checks } from '../check/definition.js';
import type { Body } from '../codec/codec.js';
import type { Fields } from '../codec/fields.js';
import type { Plan } from '../layers/definition.js';
import { refuse } from '../refusal.js';
import type { FloatDtype } from '../tensor/tensor.js';
import { applyDefaults, compileValidation } from '../validation/validate.js';
import type { Environment } from './call.js';
import { USUAL_SLOWNESS, WORKING_COPIES } from './check.js';
import { expectAffordable } from './prepare.js';
import type { Names } from './read.js';
import { ofDtype, tensorNames } from './request.js';

/** Derived once from a layer's checks, to read requests for a case. */
export type CaseRequests = ReturnType<typeof createCaseRequests>;

export function createCaseRequests(checks: Checks) {
  const schema = CaseRequest(checks.layer.schemas.options, checks.spatial === true);
  const names: Names = { tensors: tensorNames(schema), results: [] };
  return { checks, schema, validate: compileValidation(schema), names };
}

export interface PreparedCase {
  readonly direction: 'case';
  readonly layer: string;
  readonly seed: number;
  readonly dtype: FloatDtype;
  /** Whether to return the right answers, too. */
  readonly answers: boolean;
  readonly mistake: string | undefined;
  readonly options: Instance['options'] | undefined;
  readonly axes: number | undefined;
  readonly operations: number;
}

/** @throws {Refusal} if the body cannot be served */
export function prepareCase({ checks, schema, validate }: CaseRequests, body: Body): PreparedCase {
  const request = validate(body.values);
  applyDefaults(schema, request);
  const { mistake, options, axes } = request as { mistake?: string; options?: Instance['options']; axes?: number };
  const { name: layer } = checks.layer;
  if (mistake !== undefined && !checks.mistakes.some(({ id }) => id === mistake))
    throw refuse(
      'invalid-request',
      ['mistake'],
      `/mistake is ${JSON.stringify(mistake)}; expected one of the layer's own that GET /layers/${layer}/mistakes lists`,
    );
  const { seed, dtype, answers } = request as { seed: number; dtype: FloatDtype; answers: boolean };
  // Infinite, so that a worker thread computes it: all known mistakes are computed for each input that is tried, which
  // takes up to half a second.
  return { direction: 'case', layer, seed, dtype, answers, mistake, options, axes, operations: Infinity };
}

/** @throws {Refusal} work-limit-exceeded, or if no case can be made for the options */
export function computeCase(
  { seed, dtype, answers, mistake: wanted, options, axes }: PreparedCase,
  checks: Checks,
  { kernels, limits }: Environment,
): Fields {
  const wish = { ...(options ? { options } : {}), ...(axes === undefined ? {} : { axes }) };
  const afford = ({ forward, backward }: Plan['cost']) => {
    const each = (forward.operations + backward.operations) * (checks.slowness ?? USUAL_SLOWNESS);
    const bytes = (forward.bytes + backward.bytes) * WORKING_COPIES;
    expectAffordable({ operations: each * (checks.ways() + 2) * MOST_TRIES, bytes }, 'the case', limits);
  };
  const mistake = checks.mistakes.find(({ id }) => id === wanted);
  const made = caseOf(checks, { seed, mistake, wish, kernels, afford: options && afford });
  const { instance } = made;
  return {
    forward: {
      ...ofDtype(instance.inputs, dtype),
      ...ofDtype(instance.drawn, dtype),
      ...(instance.options as object),
      dtype,
    },
    backward: ofDtype(instance.upstream, dtype),
    ...(answers ? { answers: ofDtype(made.answers, dtype) } : {}),
  };
}
