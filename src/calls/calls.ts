/** Runs calls: reads, prepares and computes them, and writes their answers. */
import { allChecks } from '../check/registry.js';
import type { Body } from '../codec/codec.js';
import { isTensor, type Fields } from '../codec/fields.js';
import type { Layer } from '../layers/definition.js';
import { Refusal } from '../refusal.js';
import { accountOf, now } from './account.js';
import { STORE_REFUSALS, type Call, type Environment, type Outcome } from './call.js';
import { computeCase, createCaseRequests, prepareCase, type CaseRequests, type PreparedCase } from './case.js';
import { computeCheck, createCheckRequests, prepareCheck, type CheckRequests, type PreparedCheck } from './check.js';
import { computeBackward, computeForward } from './compute.js';
import {
  createLayerRequests,
  prepareBackward,
  prepareForward,
  tensorsOf,
  type LayerRequests,
  type PreparedBackward,
  type PreparedForward,
} from './prepare.js';
import { readCall, type Form } from './read.js';
import { writeAnswer } from './write.js';

/** A call that has been read and prepared. Plain data, which any thread can compute. */
export interface Work {
  readonly prepared: PreparedForward | PreparedBackward | PreparedCheck | PreparedCase;
  readonly form: Form;
  /** When the call began, and when it had been prepared. */
  readonly begun: number;
  readonly read: number;
}

export class Calls {
  private readonly layers: ReadonlyMap<string, LayerRequests>;
  private readonly checks: ReadonlyMap<string, CheckRequests>;
  private readonly cases: ReadonlyMap<string, CaseRequests>;

  constructor(
    layers: readonly Layer[],
    private readonly environment: Environment,
  ) {
    this.layers = new Map(layers.map((layer) => [layer.name, createLayerRequests(layer)]));
    this.checks = new Map(allChecks.map((checks) => [checks.layer.name, createCheckRequests(checks)]));
    this.cases = new Map(allChecks.map((checks) => [checks.layer.name, createCaseRequests(checks)]));
  }

  /**
   * @param compute computes the prepared call, on this thread or elsewhere
   * @throws {Refusal} whose places refer to the body as it was sent
   */
  async run(
    call: Call,
    compute: (work: Work) => Outcome | Promise<Outcome> = (work) => this.compute(work),
  ): Promise<Outcome> {
    const begun = now();
    const { nesting } = this.environment.limits;
    const { body, form } = readCall(call, this.requestsOf(call).names, nesting);
    try {
      const prepared = await this.prepare(call, body);
      return await compute({ prepared, form, begun, read: now() });
    } catch (error) {
      throw error instanceof Refusal ? refusedAt(error, body) : error;
    }
  }

  /** @returns undefined if the work turns out to take more than `mostOperations` */
  compute(work: Work): Outcome;
  compute(work: Work, mostOperations: number): Outcome | undefined;
  compute({ prepared, form, begun, read }: Work, mostOperations = Infinity): Outcome | undefined {
    const { environment } = this;
    if (prepared.direction === 'check' || prepared.direction === 'case') {
      const { checks } = requestsOfLayer(this.checks, prepared.layer);
      const fields =
        prepared.direction === 'check'
          ? computeCheck(prepared, checks, environment, mostOperations)
          : computeCase(prepared, checks, environment);
      return fields && { pieces: writeAnswer(fields, form) };
    }
    const { layer } = requestsOfLayer(this.layers, prepared.layer);
    const started = now();
    const { fields, ...sessions } =
      prepared.direction === 'forward'
        ? computeForward(prepared, layer, environment)
        : computeBackward(prepared, layer, environment);
    const computed = now();
    const pieces = writeAnswer(fields, form);
    const times = { begun, read, started, computed, written: now() };
    return { pieces, account: accountOf(prepared, tensorsOf(prepared), numbersOf(fields), times), ...sessions };
  }

  private prepare(call: Call, body: Body): Work['prepared'] | Promise<Work['prepared']> {
    const { layer, direction, owner } = call;
    if (direction === 'check') return prepareCheck(requestsOfLayer(this.checks, layer), body, this.environment);
    if (direction === 'case') return prepareCase(requestsOfLayer(this.cases, layer), body);
    const requests = requestsOfLayer(this.layers, layer);
    if (direction === 'forward') return prepareForward(requests, body, this.environment);
    return prepareBackward(requests, body, owner, this.environment);
  }

  private requestsOf({ layer, direction }: Call) {
    if (direction === 'check') return requestsOfLayer(this.checks, layer);
    if (direction === 'case') return requestsOfLayer(this.cases, layer);
    return { names: requestsOfLayer(this.layers, layer).names[direction] };
  }
}

function requestsOfLayer<Requests>(all: ReadonlyMap<string, Requests>, layer: string): Requests {
  const requests = all.get(layer);
  if (!requests) throw new Error(`no layer ${layer}`);
  return requests;
}

/**
 * Maps the places of a refusal to the body as it was sent. Reads the rest of the body first, because a body that is not
 * in its format is refused for that reason instead.
 */
function refusedAt(refusal: Refusal, body: Body): Refusal {
  if (!STORE_REFUSALS.has(refusal.kind)) body.readRest();
  return body.placeOf ? refusal.placed((path) => body.placeOf?.(path) ?? path) : refusal;
}

function numbersOf(fields: Fields): number {
  let numbers = 0;
  for (const field of Object.values(fields)) if (isTensor(field)) numbers += field.data.length;
  return numbers;
}
