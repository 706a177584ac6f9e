/** Gives answers to the check, as the service does: within its limits, and with its time for pairs of mistakes. */
import type { CheckAnswer } from '../../../schemas/check.js';
import type { Environment } from '../../../src/calls/call.js';
import { computeCheck, createCheckRequests, prepareCheck, type CheckRequests } from '../../../src/calls/check.js';
import type { Tensors } from '../../../src/layers/instance.js';
import type { Checks } from '../../../src/check/definition.js';
import type { Body } from '../../../src/codec/codec.js';
import { ConfigSchema } from '../../../src/config.js';
import { plain } from '../../../src/kernels/plain/plain.js';
import type { Path } from '../../../src/refusal.js';
import { tensor } from '../../../src/tensor/tensor.js';
import type { Case } from './cases.js';
import type { Answers } from './definition.js';
import { nestedOf, tensorOf } from './nested.js';

const { WORK_LIMIT_OPERATIONS, WORK_LIMIT_RESULT_BYTES } = ConfigSchema.properties;

/** Kernels without WebAssembly: on a case's few values the two are equally fast, and this needs no build. */
const environment = {
  kernels: plain,
  limits: {
    operations: WORK_LIMIT_OPERATIONS.default as number,
    resultBytes: WORK_LIMIT_RESULT_BYTES.default as number,
  },
} as Environment;

/** The claims among an implementation's answers. @throws if one is no tensor */
export function claimsOf({ right }: Case, answers: Answers): Tensors {
  const named = Object.keys(right).filter((name) => answers[name] !== undefined);
  return Object.fromEntries(named.map((name) => [name, tensorOf(answers[name])]));
}

/** What the check says of a tensor. */
export interface Diagnosis {
  readonly tensor: string;
  readonly sentence: string;
}

export interface Verdict {
  readonly pass: boolean;
  /** Claims that do not pass, in the order of the API: outputs first. */
  readonly failing: readonly { readonly name: string; readonly diagnoses: readonly Diagnosis[] }[];
  readonly ms: number;
}

const requests = new Map<Checks, CheckRequests>();

export function judge({ checks, instance, given }: Case, claims: Tensors): Verdict {
  const ofLayer = requests.get(checks) ?? createCheckRequests(checks);
  requests.set(checks, ofLayer);
  const names = Object.keys(instance.upstream);
  const fields = Object.entries(given());
  const only = (isWanted: (name: string) => boolean) => Object.fromEntries(fields.filter(([name]) => isWanted(name)));
  const nested = Object.fromEntries(Object.entries(claims).map(([name, claim]) => [name, nestedOf(claim)]));
  const body = bodyOf({
    forward: only((name) => !names.includes(name)),
    backward: only((name) => names.includes(name)),
    claims: nested,
  });
  const prepared = prepareCheck(ofLayer, body, environment);
  const begun = performance.now();
  const answer = computeCheck(prepared, checks, environment, Infinity) as CheckAnswer | undefined;
  const ms = performance.now() - begun;
  if (!answer) throw new Error('the check was not computed');
  const failing = Object.keys(claims)
    .filter((name) => !answer.tensors[name].pass)
    .map((name) => {
      const { diagnosis } = answer.tensors[name];
      return { name, diagnoses: diagnosis.map(({ explanation }) => ({ tensor: name, sentence: explanation })) };
    });
  return { pass: answer.pass, failing, ms };
}

/** A request that has been read already. */
function bodyOf(values: Record<string, unknown>): Body {
  const at = (path: Path) =>
    path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], values);
  return {
    values,
    floats: (path) => tensorOf(at(path)),
    integers: (path) => {
      const { shape, data } = tensorOf(at(path));
      return tensor(shape, Int32Array.from(data));
    },
    readRest: () => undefined,
  };
}
