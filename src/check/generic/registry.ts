/** The mistakes of any layer, in the order of the search. */
import type { Diagnosis } from '../../../schemas/check.js';
import type { Checks, MistakeText } from '../definition.js';
import { isEvidence } from '../evidence.js';
import { contents } from './contents.js';
import type { Claim, GenericMistake } from './definition.js';
import { axisFactors, factors } from './factors.js';
import { lengths, nothing } from './lengths.js';
import { order } from './order.js';
import { otherOption, upstreamIgnored } from './request.js';
import { sums } from './sums.js';

export const genericMistakes: readonly GenericMistake[] = [
  nothing,
  upstreamIgnored,
  ...factors,
  ...order,
  ...axisFactors,
  ...sums,
  ...lengths,
  ...contents,
  otherOption,
];

/**
 * The first mistake that a claim shows, in every form that fits.
 *
 * @param claims the same claim, compared with the right values as they are and with room for rounding
 */
export function genericDiagnoses(
  claims: readonly Claim[],
  mistakes: readonly GenericMistake[] = genericMistakes,
): readonly Diagnosis[] {
  for (const { id, explanation, fix, fitted, find } of mistakes)
    for (const claim of claims) {
      if (fitted !== undefined && !isEvidence(claim.explained, fitted)) continue;
      const found = [find(claim) ?? []].flat();
      if (found.length > 0) return found.map((sentences) => ({ id, explanation, fix, ...sentences }));
    }
  return [];
}

/** What is said of a tensor of zeros, before anything else is tried. */
export const ofZeros = (claim: Claim): readonly Diagnosis[] => genericDiagnoses([claim], [nothing]);

/** All mistakes of a layer: its own, then those of any layer. */
export function mistakesOf({ layer, mistakes }: Checks): readonly MistakeText[] {
  const { outputs, gradients } = layer.schemas;
  const names = Object.keys(gradients.properties);
  const all = [...Object.keys(outputs.properties), ...names].filter((name) => name !== 'seed');
  const generic = genericMistakes.map(({ fitted: _, find: __, isOfGradients = false, ...text }) => ({
    ...text,
    tensors: isOfGradients ? names : all,
  }));
  return [...mistakes, ...generic];
}
