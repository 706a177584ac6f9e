/** Checks a user's implementation: reads the claims, then computes the verdict. */
import type { TObject } from '@sinclair/typebox';
import { CheckRequest } from '../../schemas/check.js';
import { check, type Verdict } from '../check/check.js';
import type { Instance, Tensors } from '../layers/instance.js';
import { spatialAxes, type Checks } from '../check/definition.js';
import type { Body } from '../codec/codec.js';
import type { Fields, Json } from '../codec/fields.js';
import { expectShape, expectUpstream, type Layer } from '../layers/definition.js';
import { refuse, type Path } from '../refusal.js';
import { tensor, type FloatDtype, type Tensor } from '../tensor/tensor.js';
import { applyDefaults, compileValidation } from '../validation/validate.js';
import type { Environment } from './call.js';
import { expectAffordable } from './prepare.js';
import { decodeTensors, expectOneDtype, ofDtype, pick, tensorNames, within } from './request.js';

/** Limit for pairs of mistakes: about a tenth of a second. */
const PAIR_OPERATIONS = 100_000_000;

/** Limit for slips in formulas: about half a second. */
const SLIP_OPERATIONS = 500_000_000;

/** Number of slips that are tried, and the cost of one, however small the input: 30 µs. */
const [SLIPS, LEAST_OF_SLIP] = [3000, 30_000];

/**
 * Nanoseconds per operation to evaluate a layer's formulas once, unless the layer's checks set it; the kernels take
 * about one. Measured over all of a layer's mistakes, on a few thousand values: linear 1, the recurrent layers 2,
 * batchnorm 8, dropout 10, convolution 12 to 16. activation (24 for relu) and pooling (50 to 70) state more: what they
 * count as one operation, such as a comparison, takes several in formulas.
 */
export const USUAL_SLOWNESS = 25;

/** Least cost of evaluating the formulas once, however small the input: 0.1 ms. */
const LEAST_OPERATIONS = 100_000;

/** Cost of comparing, in calls: the right answers, their rounding bounds, and the answers of other option values. */
const COMPARED = 16;

/** Results held while comparing: the right answers, their rounding bounds and one variant of them. */
const COMPARED_COPIES = 3;

/** Formulas keep their values in float64, and there are several quantities between a tensor and its gradient. */
export const WORKING_COPIES = 8;

/** Derived once from a layer's checks, to read requests for a check. */
export type CheckRequests = ReturnType<typeof createCheckRequests>;

export function createCheckRequests(checks: Checks) {
  const schema = CheckRequest(checks.layer.schemas);
  return {
    checks,
    forwardSchema: schema.properties.forward as TObject,
    claimSchema: schema.properties.claims as TObject,
    validate: compileValidation(schema),
    names: { tensors: tensorNames(schema), results: [] as readonly string[] },
  };
}

export interface PreparedCheck {
  readonly direction: 'check';
  readonly layer: string;
  readonly dtype: FloatDtype;
  readonly call: Instance;
  readonly claims: Tensors;
  readonly rtol: number | undefined;
  readonly atol: number | undefined;
  /** Whether the limits allow a search for mistakes. */
  readonly searches: boolean;
  /** Operations that the search for slips in formulas may take; 0 if the limits allow none. */
  readonly slips: number;
  /** Without pairs of mistakes. */
  readonly operations: number;
  /** Number of pairs of mistakes to try if nothing else explains the claims, and their operations. */
  readonly pairs: number;
  readonly pairOperations: number;
}

/** @throws {Refusal} if the body cannot be served */
export function prepareCheck(requests: CheckRequests, body: Body, { limits }: Environment): PreparedCheck {
  const { checks, claimSchema } = requests;
  const request = requests.validate(body.values);
  const forward = request.forward as Record<string, unknown>;
  const { call, dtype } = callOf(requests, forward, request.backward as Record<string, unknown> | undefined, body);
  const plan = within(['forward'], () => checks.layer.plan(call.inputs, call.options));
  for (const [name, mask] of Object.entries(call.drawn))
    within(['forward'], () => {
      expectShape(name, mask, call.inputs.x.shape, 'it has the shape of x');
    });
  within(['backward'], () => {
    expectUpstream(plan, call.upstream);
  });
  const claimed = request.claims as Record<string, unknown>;
  const claims = inFloat64(decodeTensors(claimSchema, claimed, dtype, body, ['claims']));
  expectClaimable(claims, checks, claimSchema, call);

  const { forward: there, backward: back } = plan.cost;
  const cost = { operations: there.operations + back.operations, bytes: there.bytes + back.bytes };
  const ways = checks.ways(call);
  const each = cost.operations * (checks.slowness ?? USUAL_SLOWNESS);
  const comparing = cost.operations * COMPARED;
  const searching = comparing + each * ways;
  const bytes = cost.bytes * WORKING_COPIES;
  // Larger calls can still be compared, without a search for mistakes.
  const searches = searching <= limits.operations && bytes <= limits.resultBytes;
  const slips = searches ? Math.max(0, Math.min(SLIP_OPERATIONS, limits.operations - searching)) : 0;
  const usual = Math.min(slips, SLIPS * Math.max(each, LEAST_OF_SLIP));
  const operations = searches ? searching + usual : comparing;
  expectAffordable({ operations, bytes: searches ? bytes : cost.bytes * COMPARED_COPIES }, 'the check', limits);
  const pair = Math.max(each, LEAST_OPERATIONS);
  const pairOperations = Math.min(limits.operations - operations, PAIR_OPERATIONS, (ways ** 2 / 2) * pair);
  const { rtol, atol } = request as { rtol?: number; atol?: number };
  const pairs = Math.floor(pairOperations / pair);
  const { name: layer } = checks.layer;
  return {
    direction: 'check',
    layer,
    dtype,
    call,
    claims,
    rtol,
    atol,
    searches,
    slips,
    operations,
    pairs,
    pairOperations,
  };
}

/** @returns undefined if it would take more than `mostOperations`, because pairs of mistakes must be tried */
export function computeCheck(
  { call, claims, pairs, pairOperations, ...options }: PreparedCheck,
  checks: Checks,
  { kernels }: Environment,
  mostOperations: number,
): Fields | undefined {
  const inTime = pairOperations <= mostOperations;
  const search = { forPairs: false };
  const pairsInTime = () => {
    search.forPairs = true;
    return inTime ? pairs : 0;
  };
  const verdict = within(['forward'], () => check(checks, call, claims, { ...options, kernels, pairs: pairsInTime }));
  return search.forPairs && !inTime ? undefined : fieldsOf(verdict, checks, call);
}

function callOf(
  { checks, forwardSchema }: CheckRequests,
  forward: Record<string, unknown>,
  backward: Record<string, unknown> | undefined,
  body: Body,
): { readonly call: Instance; readonly dtype: FloatDtype } {
  const { inputs, options, outputs, upstream } = checks.layer.schemas;
  expectOneDtype(forward, body, ['forward']);
  applyDefaults(forwardSchema, forward);
  const dtype = body.dtype ?? (forward.dtype as FloatDtype);
  const drawn = drawnBy(outputs, forward, dtype, body);
  if (Object.keys(drawn).length > 0)
    for (const [name, property] of Object.entries(options.properties))
      // Not drawn: the request contains the tensor that it determines.
      if (property['x-drawn'] && !(name in forward)) forward[name] = 0;
  const call: Instance = {
    inputs: inFloat64(decodeTensors(inputs, forward, dtype, body, ['forward'])),
    options: pick(options, forward),
    upstream: backward ? inFloat64(decodeTensors(upstream, backward, dtype, body, ['backward'])) : {},
    drawn,
  };
  return { call, dtype };
}

/** Masks are sent as numbers of the request's dtype. */
function drawnBy(outputs: TObject, forward: Record<string, unknown>, dtype: FloatDtype, body: Body): Tensors {
  const drawn: Record<string, Tensor> = {};
  for (const [name, property] of Object.entries(outputs.properties)) {
    if (property['x-tensor'] !== 'mask' || !(name in forward)) continue;
    const { shape, data } = body.floats(['forward', name], dtype);
    const odd = data.find((value) => value !== 0 && value !== 1);
    if (odd !== undefined)
      throw refuse('value-mismatch', ['forward', name], `${name} holds ${odd}; expected only 0 and 1`);
    drawn[name] = tensor(shape, Uint8Array.from(data));
  }
  return drawn;
}

/** @throws {Refusal} if a claim is for a result that the call does not have */
function expectClaimable(
  claims: Tensors,
  { layer: { schemas } }: Checks,
  claimSchema: TObject,
  { inputs: given, upstream: from, options: chosen }: Instance,
): void {
  const { gradients } = schemas;
  if (Object.keys(claims).length === 0)
    throw refuse(
      'invalid-request',
      ['claims'],
      `/claims is empty; expected at least one of ${Object.keys(claimSchema.properties).join(', ')}`,
    );
  for (const name of Object.keys(claims)) {
    const at: Path = ['claims', name];
    if (name in gradients.properties && Object.keys(from).length === 0)
      throw refuse(
        'invalid-request',
        ['backward'],
        `/backward is missing; expected the upstream gradient, because ${name} is claimed`,
      );
    if (name in gradients.properties && !(name.slice(1) in given))
      throw refuse('value-mismatch', at, `${name} is claimed; expected none, because ${name.slice(1)} was not given`);
    const wanted = unanswered(name, schemas, given, chosen);
    if (wanted) throw refuse('value-mismatch', at, `${name} is claimed; expected none, because ${wanted}`);
  }
}

/** Optional outputs are named after the input or option that requests them. */
function unanswered(
  name: string,
  { inputs, options, outputs }: Layer['schemas'],
  given: Tensors,
  chosen: Instance['options'],
): string | undefined {
  if (name in inputs.properties && !(name in given)) return `${name} was not given`;
  const asking = `return_${name}`;
  if (asking in options.properties && chosen[asking] !== true) return `${asking} is not true`;
  if (name in outputs.properties && outputs.properties[name]['x-tensor'] === 'mask' && chosen.training !== true)
    return 'training is not true';
  return undefined;
}

/** The search runs in float64 for every dtype, so that differences are not due to rounding. */
function inFloat64(tensors: Tensors): Record<string, Tensor> {
  return ofDtype(tensors, 'float64');
}

/** As in JSON: non-finite numbers are strings. */
function plainJson(value: unknown): Json {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, field]) => field !== undefined)
        .map(([name, field]) => [name, plainJson(field)]),
    );
  return value as Json;
}

function fieldsOf(verdict: Verdict, { layer, spatial, kind }: Checks, call: Instance): Fields {
  const like = {
    ...(kind ? { options: kind(call.options) } : {}),
    ...(spatial ? { axes: spatialAxes(call) } : {}),
  };
  const indistinguishable = verdict.indistinguishable.map((mistake) => ({
    ...mistake,
    try: { route: `POST /${layer.name}/check/case`, body: { mistake: mistake.id, ...like } },
  }));
  return plainJson({ ...verdict, indistinguishable }) as Fields;
}
