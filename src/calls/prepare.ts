/**
 * Prepares forward and backward calls: turns a body into tensors, a plan and its cost, all plain data. Derived from the
 * layer's definition; independent of HTTP and of byte formats.
 */
import type { TObject } from '@sinclair/typebox';
import { BackwardRequest, ForwardRequest } from '../../schemas/request.js';
import type { Body, Sequence } from '../codec/codec.js';
import { expectUpstream, type Cost, type Layer, type Plan } from '../layers/definition.js';
import { refuse, Refusal, type Path } from '../refusal.js';
import type { SessionName } from '../sessions/sequences.js';
import type { FloatDtype, Tensor } from '../tensor/tensor.js';
import { applyDefaults, compileValidation, isOptional } from '../validation/validate.js';
import { jsonWords, type Words } from '../validation/words.js';
import type { Environment, Released, WorkLimits } from './call.js';
import type { Names } from './read.js';
import { decodeTensors, expectOneDtype, pick, tensorNames, within } from './request.js';
import { advising } from './sessions.js';

type Tensors = Readonly<Record<string, Tensor>>;

interface Planned {
  readonly layer: string;
  readonly dtype: FloatDtype;
  readonly plan: Plan;
  /** Multiplications and additions each count as one. */
  readonly operations: number;
}

export interface PreparedForward extends Planned {
  readonly direction: 'forward';
  readonly inputs: Tensors;
  /** Whether to keep a session. */
  readonly session: boolean;
  readonly sequence: Sequence | undefined;
}

export interface PreparedBackward extends Planned {
  readonly direction: 'backward';
  readonly upstream: Tensors;
  /** The inputs of forward, which is then computed first, or the cache of a session. */
  readonly from: { readonly inputs: Tensors } | { readonly cache: Tensors };
  readonly release: Released | undefined;
}

/** The tensors of the request, by their names in safetensors. */
export function tensorsOf(prepared: PreparedForward | PreparedBackward): Tensors {
  if (prepared.direction === 'forward') return prepared.inputs;
  const { from, upstream } = prepared;
  return 'inputs' in from ? { ...behindDot('forward', from.inputs), ...upstream } : upstream;
}

/** Derived once from a layer's definition, to read its requests. */
export type LayerRequests = ReturnType<typeof createLayerRequests>;

export function createLayerRequests(layer: Layer) {
  const { inputs, options, outputs, upstream, gradients } = layer.schemas;
  const forwardSchema = ForwardRequest(inputs, options);
  const backwardSchema = BackwardRequest(upstream, inputs, options);
  return {
    layer,
    forwardSchema,
    validate: { forward: compileValidation(forwardSchema), backward: compileValidation(backwardSchema) },
    names: {
      forward: { tensors: tensorNames(forwardSchema), results: Object.keys(tensorNames(outputs)) },
      backward: { tensors: tensorNames(backwardSchema), results: Object.keys(tensorNames(gradients)) },
    } satisfies Record<string, Names>,
  };
}

/** @throws {Refusal} if the body cannot be served */
export function prepareForward(requests: LayerRequests, body: Body, environment: Environment): PreparedForward {
  const request = requests.validate.forward(body.values, body.words);
  const planned = planForward(request, [], requests, body, environment);
  return { direction: 'forward', ...planned, session: request.session === true, sequence: body.sequence };
}

/** @param owner of the session */
export async function prepareBackward(
  requests: LayerRequests,
  body: Body,
  owner: string | undefined,
  environment: Environment,
): Promise<PreparedBackward> {
  const { layer, validate } = requests;
  const { upstream: schema } = layer.schemas;
  const { limits } = environment;
  const { sequence, words = jsonWords } = body;
  const request = validate.backward(body.values, words);
  const { session: token, forward, release } = request as { session?: string; forward?: object; release?: boolean };
  const name = token ?? (sequence && { sequence: sequence.id });
  expectOneSource(name !== undefined, forward !== undefined, words);
  expectSomeUpstream(schema, request, words);

  if (name === undefined) {
    if (release)
      throw refuse(
        'invalid-request',
        ['release'],
        `${words.place(['release'])} is true; expected false, because the request has no session`,
      );
    const { inputs, operations, ...planned } = planForward(
      forward as Record<string, unknown>,
      ['forward'],
      requests,
      body,
      environment,
    );
    const upstream = decodeTensors(schema, request, planned.dtype, body, []);
    const backward = backwardOperations(planned.plan, upstream, limits);
    expectAffordable(sumOf(planned.plan.cost), 'forward plus backward', limits);
    return {
      direction: 'backward',
      ...planned,
      upstream,
      from: { inputs },
      operations: operations + backward,
      release: undefined,
    };
  }

  const session = await sessionOf(name, owner, layer, words, environment);
  const { dtype, plan, tensors: cache } = session as typeof session & { readonly plan: Plan };
  const upstream = decodeTensors(schema, request, dtype, body, []);
  return {
    direction: 'backward',
    layer: layer.name,
    dtype,
    plan,
    upstream,
    from: { cache },
    operations: backwardOperations(plan, upstream, limits),
    release: release || sequence?.end ? { token: session.token, sequence: sequence?.id } : undefined,
  };
}

function sumOf({ forward, backward }: Plan['cost']): Cost {
  return { operations: forward.operations + backward.operations, bytes: forward.bytes + backward.bytes };
}

/** @throws {Refusal} work-limit-exceeded */
export function expectAffordable({ operations, bytes }: Cost, what: string, limits: WorkLimits): void {
  const over = (unit: string, asked: number, most: number) =>
    new Refusal('work-limit-exceeded', `${what} needs ${asked} ${unit}; expected at most ${most}`);
  if (operations > limits.operations) throw over('operations', operations, limits.operations);
  if (bytes > limits.resultBytes) throw over('bytes of results', bytes, limits.resultBytes);
}

/** @param at where the forward request is in the body */
function planForward(
  request: Record<string, unknown>,
  at: Path,
  { layer, forwardSchema }: LayerRequests,
  body: Body,
  { limits, draw }: Environment,
): Planned & { readonly inputs: Tensors } {
  const { inputs: schema, options } = layer.schemas;
  expectOneDtype(request, body, at);
  applyDefaults(forwardSchema, request);
  for (const [name, option] of Object.entries(options.properties))
    if (option['x-drawn'] && !(name in request)) request[name] = draw(option.maximum as number);
  const dtype = body.dtype ?? (request.dtype as FloatDtype);
  const inputs = decodeTensors(schema, request, dtype, body, at);
  const plan = within(at, () => layer.plan(inputs, pick(options, request)));
  within(at, () => {
    expectAffordable(plan.cost.forward, 'forward', limits);
  });
  return { layer: layer.name, inputs, plan, dtype, operations: plan.cost.forward.operations };
}

/** @throws {Refusal} if the upstream gradients do not fit the plan, or cost too much */
function backwardOperations(plan: Plan, upstream: Tensors, limits: WorkLimits): number {
  expectUpstream(plan, upstream);
  expectAffordable(plan.cost.backward, 'backward', limits);
  return plan.cost.backward.operations;
}

async function sessionOf(
  name: SessionName,
  owner: string | undefined,
  layer: Layer,
  words: Words,
  { sessions }: Environment,
) {
  const session = await advising(sessions.use(name, owner), words.advice);
  const [place, kind, what] =
    typeof name === 'string'
      ? ['session', 'session', 'session']
      : ['sequence_id', 'sequence', `sequence ${name.sequence}`];
  if (!session)
    throw refuse(
      'unknown-session',
      [place],
      `there is no ${what === 'session' ? 'such session' : what}; a session expires ${sessions.ttlMs / 1000} s after its last use. Call forward for a new one`,
    );
  if (session.layer !== layer.name)
    throw refuse(
      'session-of-another-layer',
      [place],
      `the ${what} belongs to ${session.layer}; expected a ${kind} of ${layer.name}. Post it to ${words.backwardOf(session.layer)}`,
    );
  return session;
}

function expectOneSource(hasSession: boolean, hasForward: boolean, words: Words): void {
  if (hasSession !== hasForward) return;
  const ways = [words.place(['session']), words.place(['forward'])];
  throw new Refusal(
    'invalid-request',
    `${hasSession ? `${ways.join(' and ')} are both present` : `neither ${ways.join(' nor ')} is present`}; expected one of the two: the token that forward returned, or the forward request itself`,
    [{ path: [hasSession ? 'forward' : 'session'], detail: `expected exactly one of ${ways.join(' and ')}` }],
  );
}

/** Names as in a safetensors file, which flattens nested objects. */
function behindDot(name: string, tensors: Record<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([inner, tensor]) => [`${name}.${inner}`, tensor]));
}

/** Requires at least one upstream gradient, even if each one is optional. */
function expectSomeUpstream(upstream: TObject, body: Record<string, unknown>, words: Words): void {
  const names = Object.keys(upstream.properties);
  if (names.some((name) => name in body || !isOptional(upstream.properties[name]))) return;
  const wanted = names.map((name) => words.place([name])).join(', ');
  throw refuse(
    'invalid-request',
    [names[0]],
    `the request has no upstream gradient; expected at least one of ${wanted}`,
  );
}
