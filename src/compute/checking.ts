/** The check of somebody else's implementation, and cases for it: a body in, the answer's fields out. */
import type { TObject } from '@sinclair/typebox';
import { CaseRequest, CheckRequest } from '../../schemas/check.js';
import { caseOf, MOST_TRIES } from '../check/case.js';
import { check, type Verdict } from '../check/check.js';
import { spatialAxes, type Call, type Checks, type Tensors } from '../check/definition.js';
import type { Body, TensorNames } from '../codec/codec.js';
import type { Fields, Json } from '../codec/fields.js';
import { expectShape, expectUpstream, type Plan } from '../layers/definition.js';
import { refuse, type Path } from '../refusal.js';
import type { FloatDtype, Tensor } from '../tensor/tensor.js';
import { expectAffordable, TooHeavy, type Environment } from './computation.js';
import { decodeTensors, expectOneDtype, pick, within } from './request.js';
import { applyDefaults, compileValidation, tensorNames } from './validate.js';

export interface Checking {
  readonly tensors: { readonly check: TensorNames; readonly case: TensorNames };
  /** Both throw a {@link Refusal} where the body cannot be served. */
  readonly check: (body: Body) => Fields;
  readonly case: (body: Body) => Fields;
}

/** What pairs of mistakes may take: about a second. */
const PAIR_OPERATIONS = 1_000_000_000;

/**
 * Nanoseconds an operation that the steps of a layer take, where it does not say: the kernels take about one. Measured
 * over all of a layer's mistakes, on a few thousand values: dropout 10, convolution 11; batchnorm, the recurrent layers
 * and pooling (whose operations are comparisons, and whose windows are objects) say more.
 */
const USUAL_SLOWNESS = 25;

/** What one of the steps takes however small the input is: 0.1 ms. */
const LEAST_OPERATIONS = 100_000;

/** The right answers, those in float32, and those of options that were read otherwise. */
const COMPARED = 16;

/** The right answers, those in float32 and a variant of them. */
const COMPARED_COPIES = 3;

/** A step keeps what it makes in float64, and there are several of them between a tensor and its gradient. */
const WORKING_COPIES = 8;

export function checkingOf(checks: Checks, environment: Environment): Checking {
  const { layer } = checks;
  const { inputs, options, outputs, upstream, gradients } = layer.schemas;
  const schema = CheckRequest(layer.schemas);
  const validate = compileValidation(schema);
  const caseSchema = CaseRequest(options, checks.spatial === true);
  const validateCase = compileValidation(caseSchema);
  const forwardSchema = schema.properties.forward as TObject;
  const claimSchema = schema.properties.claims as TObject;
  const { kernels, limits, inlineOperations } = environment;

  function callOf(forward: Record<string, unknown>, backward: Record<string, unknown> | undefined, body: Body) {
    expectOneDtype(forward, body, ['forward']);
    applyDefaults(forwardSchema, forward);
    const dtype = body.dtype ?? (forward.dtype as FloatDtype);
    const drawn = drawnBy(forward, dtype, body);
    if (Object.keys(drawn).length > 0)
      for (const [name, property] of Object.entries(options.properties))
        // Not asked for where what it decides came.
        if (property['x-drawn'] && !(name in forward)) forward[name] = 0;
    const call: Call = {
      inputs: inFloat64(decodeTensors(inputs, forward, dtype, body, ['forward'])),
      options: pick(options, forward),
      upstream: backward ? inFloat64(decodeTensors(upstream, backward, dtype, body, ['backward'])) : {},
      drawn,
    };
    const plan = within(['forward'], () => layer.plan(call.inputs, call.options));
    for (const [name, mask] of Object.entries(drawn))
      within(['forward'], () => {
        expectShape(name, mask, call.inputs.x.shape, 'it is of the shape of x');
      });
    within(['backward'], () => {
      expectUpstream(plan, call.upstream);
    });
    const { forward: there, backward: back } = plan.cost;
    const cost = { operations: there.operations + back.operations, bytes: there.bytes + back.bytes };
    return { call, dtype, cost };
  }

  /** A mask came as numbers of the request's dtype. */
  function drawnBy(forward: Record<string, unknown>, dtype: FloatDtype, body: Body): Tensors {
    const drawn: Record<string, Tensor> = {};
    for (const [name, property] of Object.entries(outputs.properties)) {
      if (property['x-tensor'] !== 'mask' || !(name in forward)) continue;
      const { shape, data } = body.floats(['forward', name], dtype);
      const odd = data.find((value) => value !== 0 && value !== 1);
      if (odd !== undefined)
        throw refuse('value-mismatch', ['forward', name], `${name} holds ${odd}; expected 0 and 1 alone`);
      drawn[name] = { dtype: 'uint8', shape, data: Uint8Array.from(data) };
    }
    return drawn;
  }

  /** @throws {Refusal} where a claim is of something that the call does not answer */
  function expectClaimable(claims: Tensors, { inputs: given, upstream: from, options: chosen }: Call): void {
    if (Object.keys(claims).length === 0)
      throw refuse(
        'invalid-request',
        ['claims'],
        `/claims is empty; expected one at least of ${Object.keys(claimSchema.properties).join(', ')}`,
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
      const wanted = unanswered(name, given, chosen);
      if (wanted) throw refuse('value-mismatch', at, `${name} is claimed; expected none, because ${wanted}`);
    }
  }

  /** Optional outputs bear the names of what they come from. */
  function unanswered(name: string, given: Tensors, chosen: Call['options']): string | undefined {
    if (name in inputs.properties && !(name in given)) return `${name} was not given`;
    const asking = `return_${name}`;
    if (asking in options.properties && chosen[asking] !== true) return `${asking} is not true`;
    if (name in outputs.properties && outputs.properties[name]['x-tensor'] === 'mask' && chosen.training !== true)
      return 'training is not true';
    return undefined;
  }

  /** How many pairs of mistakes there is time for, of `each` operations and beside the `used` ones. */
  function pairs(each: number, used: number, ways: number): number {
    const pair = Math.max(each, LEAST_OPERATIONS);
    const most = Math.min(limits.operations - used, PAIR_OPERATIONS, (ways ** 2 / 2) * pair);
    if (most > inlineOperations) throw new TooHeavy();
    return Math.floor(most / pair);
  }

  return {
    tensors: { check: tensorNames(schema), case: tensorNames(caseSchema) },

    check(body) {
      const request = validate(body.values);
      const { call, dtype, cost } = callOf(
        request.forward as Record<string, unknown>,
        request.backward as Record<string, unknown> | undefined,
        body,
      );
      const claimed = request.claims as Record<string, unknown>;
      const claims = inFloat64(decodeTensors(claimSchema, claimed, dtype, body, ['claims']));
      expectClaimable(claims, call);
      const ways = checks.ways(call);
      const each = cost.operations * (checks.slowness ?? USUAL_SLOWNESS);
      const comparing = cost.operations * COMPARED;
      const searching = comparing + each * ways;
      const bytes = cost.bytes * WORKING_COPIES;
      // What is right can be said of more than mistakes can be looked for in.
      const searches = searching <= limits.operations && bytes <= limits.resultBytes;
      const operations = searches ? searching : comparing;
      expectAffordable(
        { operations, bytes: searches ? bytes : cost.bytes * COMPARED_COPIES },
        'the check',
        environment,
      );
      const { rtol, atol } = request as { rtol?: number; atol?: number };
      const options = { dtype, rtol, atol, kernels, searches, pairs: () => pairs(each, operations, ways) };
      return fieldsOf(
        within(['forward'], () => check(checks, call, claims, options)),
        checks,
        call,
      );
    },

    case(body) {
      const request = validateCase(body.values);
      applyDefaults(caseSchema, request);
      // Every known mistake is computed for every input that is tried: up to half a second.
      if (inlineOperations < Infinity) throw new TooHeavy();
      const { mistake } = request as { mistake?: string };
      const known = checks.mistakes.find(({ id }) => id === mistake);
      if (mistake !== undefined && !known)
        throw refuse(
          'invalid-request',
          ['mistake'],
          `/mistake is ${JSON.stringify(mistake)}; expected one of those that GET /layers/${layer.name}/mistakes lists`,
        );
      const { seed, dtype, answers } = request as { seed: number; dtype: FloatDtype; answers: boolean };
      const { options: chosen, axes } = request as { options?: Call['options']; axes?: number };
      const wish = { ...(chosen ? { options: chosen } : {}), ...(axes === undefined ? {} : { axes }) };
      const afford = ({ forward, backward }: Plan['cost']) => {
        const each = (forward.operations + backward.operations) * (checks.slowness ?? USUAL_SLOWNESS);
        const bytes = (forward.bytes + backward.bytes) * WORKING_COPIES;
        expectAffordable({ operations: each * (checks.ways() + 2) * MOST_TRIES, bytes }, 'the case', environment);
      };
      const made = caseOf(checks, { seed, mistake: known, wish, kernels, afford: chosen && afford });
      const ofDtype = (tensors: Tensors) => inDtype(tensors, dtype);
      return {
        forward: { ...ofDtype(made.call.inputs), ...ofDtype(made.call.drawn), ...(made.call.options as object), dtype },
        backward: ofDtype(made.call.upstream),
        ...(answers ? { answers: ofDtype(made.answers) } : {}),
      };
    },
  };
}

function inDtype(tensors: Tensors, dtype: FloatDtype): Record<string, Tensor> {
  const of = ({ shape, data }: Tensor): Tensor =>
    dtype === 'float64'
      ? { dtype, shape, data: Float64Array.from(data) }
      : { dtype, shape, data: Float32Array.from(data) };
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, tensor.dtype.startsWith('float') ? of(tensor) : tensor]),
  );
}

/** Mistakes are looked for in float64 whatever the dtype: what differs then is not rounding. */
function inFloat64(tensors: Tensors): Record<string, Tensor> {
  return inDtype(tensors, 'float64');
}

/** As JSON has them: what is not finite is a string. */
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

function fieldsOf(verdict: Verdict, { layer, spatial, kind }: Checks, call: Call): Fields {
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
