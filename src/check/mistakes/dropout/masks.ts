/** The masks that dropout and its claims have. */
import type { Instance, Tensors } from '../../../layers/instance.js';
import type { MaskTensor, Tensor } from '../../../tensor/tensor.js';

/** The right mask; all ones in inference. */
export function maskOf({ inputs, options, drawn }: Instance, right: Tensors): Uint8Array {
  const { mask = right.mask } = drawn as { mask?: MaskTensor };
  return options.training === true ? Uint8Array.from(mask.data) : new Uint8Array(inputs.x.data.length).fill(1);
}

/** The claim of a tensor, if it is as large as x. */
const claimOf = (name: string, { inputs: { x } }: Instance, claims: Tensors) =>
  name in claims && claims[name].data.length === x.data.length ? claims[name].data : undefined;

/**
 * The mask that a claim implies: an element is kept if it is not 0 in the claim; that of a 0 is not known.
 *
 * @returns undefined if nothing was dropped, or everything
 */
function impliedBy(claim: Tensor['data'] | undefined, of: Tensor['data'], kept: Uint8Array): Uint8Array | undefined {
  const isKnown = (value: number) => claim?.some((own, i) => of[i] !== 0 && (own === 0) === (value === 0)) === true;
  return isKnown(0) && isKnown(1) ? kept.map((own, i) => (of[i] === 0 ? own : Number(claim?.[i] !== 0))) : undefined;
}

/** Whether a mask is neither this one nor its inverse, which has its own mistake. */
const isAnother = (mask: Uint8Array, kept: Uint8Array, isKnown: (i: number) => boolean) =>
  [0, 1].every((same) => mask.some((own, i) => isKnown(i) && (own === kept[i]) === (same === 1)));

/** The mask that out implies, and dx where x is 0. If they imply none, or the right one, an arbitrary wrong one. */
export function maskOfOut(instance: Instance, claims: Tensors, right: Tensors): Uint8Array {
  const kept = maskOf(instance, right);
  const [out, dx] = ['out', 'dx'].map((name) => claimOf(name, instance, claims));
  const { x } = instance.inputs;
  const ofZeros = dx ? kept.map((_, i) => Number(dx[i] !== 0)) : kept;
  const implied = impliedBy(out, x.data, ofZeros);
  const isKnown = (i: number) => x.data[i] !== 0;
  if (implied && isAnother(implied, kept, isKnown)) return implied;
  return kept.map((_, i) => (kept.includes(0) ? kept[(i + 1) % kept.length] : i % 2));
}

/** The mask that dx implies; undefined if it implies none, or one that another mistake produces. */
export function maskOfDx(instance: Instance, claims: Tensors, right: Tensors): Uint8Array | undefined {
  const kept = maskOf(instance, right);
  const claim = claimOf('dx', instance, claims);
  if (!claim) return kept;
  const { x } = instance.inputs;
  const { dout } = instance.upstream;
  const implied = impliedBy(claim, dout.data, kept);
  const isKnown = (i: number) => dout.data[i] !== 0;
  const guessed = kept.map((own, i) => (x.data[i] ? own : 0));
  if (!implied || !isAnother(implied, kept, isKnown) || !isAnother(implied, guessed, isKnown)) return undefined;
  return implied;
}
