/**
 * One call of a layer: a body in, the answer's fields out. Made from the layer's definition alone; knows no HTTP and
 * no byte format.
 */
import type { TObject } from '@sinclair/typebox';
import { BackwardRequest, ForwardRequest } from '../../schemas/request.js';
import type { Body, TensorNames } from '../codec/codec.js';
import type { Fields } from '../codec/fields.js';
import type { Kernels } from '../kernels/kernels.js';
import { expectUpstream, type Cache, type Cost, type Layer, type Plan } from '../layers/definition.js';
import { refuse, Refusal, type Path } from '../refusal.js';
import { packed } from '../sessions/packed.js';
import type { HeldSession, SessionStore } from '../sessions/store.js';
import type { FloatDtype, Tensor } from '../tensor/tensor.js';
import type { Work } from './account.js';
import { decodeTensors, expectOneDtype, pick, within } from './request.js';
import { applyDefaults, compileValidation, isOptional, tensorNames } from './validate.js';

/** What one request may ask for at the most. */
export interface WorkLimits {
  readonly operations: number;
  readonly resultBytes: number;
  /** Arrays and objects in each other. */
  readonly nesting?: number;
}

/** What a computation needs of a session store. */
export type Sessions = Pick<SessionStore, 'ttlMs' | 'create' | 'use' | 'delete'>;

/** Thrown before the arithmetic of a call that would take longer than its thread can be kept from other work. */
export class TooHeavy extends Error {
  override readonly name = 'TooHeavy';
  /** The session of a backward call, so that it need not be read from its store again. */
  session?: HeldSession;
}

export interface Environment {
  readonly kernels: Kernels;
  readonly limits: WorkLimits;
  readonly sessions: Sessions;
  /** Calls of more operations than this are thrown out as {@link TooHeavy}, to be run elsewhere. */
  readonly inlineOperations: number;
  /** An integer from 0 to `largest`, for the options that are drawn when a request leaves them out. */
  readonly draw: (largest: number) => number;
}

export interface Computation {
  readonly layer: Layer;
  /** What in either body is a tensor. */
  readonly tensors: { readonly forward: TensorNames; readonly backward: TensorNames };
  /** The tensors that either answer can have. */
  readonly results: { readonly forward: readonly string[]; readonly backward: readonly string[] };
  /**
   * Both throw a {@link Refusal} where the body cannot be served.
   * @param owner whose the session is
   * @param onWork is told what there is to do, before it is done
   */
  readonly forward: (body: Body, owner?: string, onWork?: (work: Work) => void) => Promise<Fields>;
  readonly backward: (body: Body, owner?: string, onWork?: (work: Work) => void) => Promise<Fields>;
}

/** A forward request, checked. */
interface ForwardCall {
  readonly inputs: Record<string, Tensor>;
  readonly plan: Plan;
  readonly dtype: FloatDtype;
}

/**
 * @throws {Refusal} work-limit-exceeded
 * @throws {TooHeavy} where it must be computed elsewhere
 */
export function expectAffordable({ operations, bytes }: Cost, what: string, environment: Environment): void {
  const { limits, inlineOperations } = environment;
  const over = (unit: string, asked: number, most: number) =>
    new Refusal('work-limit-exceeded', `${what} would take ${asked} ${unit}; at most ${most} are served here`);
  if (operations > limits.operations) throw over('operations', operations, limits.operations);
  if (bytes > limits.resultBytes) throw over('bytes of results', bytes, limits.resultBytes);
  if (operations > inlineOperations) throw new TooHeavy();
}

export function computationOf(layer: Layer, environment: Environment): Computation {
  const { inputs, options, upstream } = layer.schemas;
  const forwardSchema = ForwardRequest(inputs, options);
  const backwardSchema = BackwardRequest(upstream, inputs, options);
  const validateForward = compileValidation(forwardSchema);
  const validateBackward = compileValidation(backwardSchema);
  const { kernels, sessions, draw } = environment;

  const guard = (cost: Cost, what: string) => {
    expectAffordable(cost, what, environment);
  };

  /** @param at where the forward request stands in the body */
  function prepare(request: Record<string, unknown>, body: Body, at: Path): ForwardCall {
    expectOneDtype(request, body, at);
    applyDefaults(forwardSchema, request);
    for (const [name, schema] of Object.entries(options.properties))
      if (schema['x-drawn'] && !(name in request)) request[name] = draw(schema.maximum as number);
    const dtype = body.dtype ?? (request.dtype as FloatDtype);
    const tensors = decodeTensors(inputs, request, dtype, body, at);
    const plan = within(at, () => layer.plan(tensors, pick(options, request)));
    within(at, () => {
      guard(plan.cost.forward, 'forward');
    });
    return { inputs: tensors, plan, dtype };
  }

  async function held(token: string, owner: string | undefined) {
    const session = await sessions.use(token, owner);
    if (!session)
      throw refuse(
        'unknown-session',
        ['session'],
        `there is no such session; sessions live ${sessions.ttlMs / 1000} s after their last use, here. Call forward for a new one`,
      );
    if (session.layer !== layer.name)
      throw refuse(
        'session-of-another-layer',
        ['session'],
        `the session belongs to ${session.layer}; expected one of ${layer.name}. Post it to /${session.layer}/backward`,
      );
    return session;
  }

  /** Where the store does not answer now, expiry forgets it; asked again, the client might find no session. */
  async function forgotten(token: string, owner: string | undefined): Promise<void> {
    try {
      await sessions.delete(token, owner);
    } catch (error) {
      if (!(error instanceof Refusal && error.kind === 'session-store-unavailable')) throw error;
    }
  }

  function gradients(cache: Cache, plan: Plan, upstreamTensors: Record<string, Tensor>): Fields {
    expectUpstream(plan, upstreamTensors);
    guard(plan.cost.backward, 'backward');
    return layer.backward(cache, plan, upstreamTensors, kernels) as Fields;
  }

  function gradientsOf(session: HeldSession, plan: Plan, upstreamTensors: Record<string, Tensor>): Fields {
    try {
      return gradients(session.tensors, plan, upstreamTensors);
    } catch (error) {
      if (error instanceof TooHeavy) error.session = session;
      throw error;
    }
  }

  return {
    layer,
    tensors: { forward: tensorNames(forwardSchema), backward: tensorNames(backwardSchema) },
    results: {
      forward: Object.keys(tensorNames(layer.schemas.outputs)),
      backward: Object.keys(tensorNames(layer.schemas.gradients)),
    },

    async forward(body, owner, onWork) {
      const request = validateForward(body.values);
      const { inputs, plan, dtype } = prepare(request, body, []);
      onWork?.({ dtype, tensors: inputs, operations: plan.cost.forward.operations });
      if (!request.session && layer.infer) return expected(layer.infer(inputs, plan, kernels) as Fields, body);
      const { outputs, cache } = layer.forward(inputs, plan, kernels);
      const fields = expected(outputs as Fields, body);
      if (!request.session) return fields;
      const session = await sessions.create({ layer: layer.name, dtype, plan, tensors: packed(cache), owner });
      return { ...fields, session };
    },

    async backward(body, owner, onWork) {
      const request = validateBackward(body.values);
      const { session: token, forward, release } = request as { session?: string; forward?: object; release?: boolean };
      if ((token === undefined) === (forward === undefined))
        throw new Refusal(
          'invalid-request',
          `${token === undefined ? 'neither "session" nor "forward" came' : '"session" and "forward" both came'}; expected one of the two: the token that forward answered with, or the forward request itself`,
          [
            {
              path: [token === undefined ? 'session' : 'forward'],
              detail: 'expected exactly one of /session and /forward',
            },
          ],
        );
      expectSomeUpstream(upstream, request);

      if (token === undefined) {
        if (release)
          throw refuse('invalid-request', ['release'], '/release is true; expected false, because no session came');
        const call = prepare(forward as Record<string, unknown>, body, ['forward']);
        const upstreamTensors = decodeTensors(upstream, request, call.dtype, body, []);
        expectUpstream(call.plan, upstreamTensors);
        const { forward: there, backward: back } = call.plan.cost;
        onWork?.({
          dtype: call.dtype,
          tensors: { ...behindDot('forward', call.inputs), ...upstreamTensors },
          operations: there.operations + back.operations,
        });
        const { cache } = within(['forward'], () => layer.forward(call.inputs, call.plan, kernels));
        return expected(gradients(cache, call.plan, upstreamTensors), body);
      }

      const session = await held(token, owner);
      const upstreamTensors = decodeTensors(upstream, request, session.dtype, body, []);
      const plan = session.plan as Plan;
      onWork?.({ dtype: session.dtype, tensors: upstreamTensors, operations: plan.cost.backward.operations });
      const fields = expected(gradientsOf(session, plan, upstreamTensors), body);
      if (release) await forgotten(token, owner);
      return fields;
    },
  };
}

/** The results, once the request wants none that is not among them: before a session is made or released for it. */
function expected(results: Fields, body: Body): Fields {
  body.expectResults?.(results);
  return results;
}

/** As safetensors name what stands in an object of the body. */
function behindDot(name: string, tensors: Record<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([inner, tensor]) => [`${name}.${inner}`, tensor]));
}

/** Where every upstream gradient is optional, one must come all the same. */
function expectSomeUpstream(upstream: TObject, body: Record<string, unknown>): void {
  const names = Object.keys(upstream.properties);
  if (names.some((name) => name in body || !isOptional(upstream.properties[name]))) return;
  const wanted = names.map((name) => `/${name}`).join(', ');
  throw refuse('invalid-request', [names[0]], `no upstream gradient came; expected one at least of ${wanted}`);
}
