/** The right answers to another request. */
import type { GenericMistake } from './definition.js';

export const upstreamIgnored: GenericMistake = {
  id: 'upstream_ignored',
  explanation: 'The upstream gradient was ignored: these are the gradients for an upstream gradient of all ones.',
  fix: 'multiply by the upstream gradient',
  hidden: 'the upstream gradient is all ones',
  isOfGradients: true,
  find: ({ isForOnes }) => (isForOnes() ? {} : undefined),
};

export const otherOption: GenericMistake = {
  id: 'other_option',
  explanation: 'This is the correct result for another value of an option.',
  fix: 'use the value that was given',
  hidden: 'both values give the same result',
  find: ({ options, readings }) =>
    readings().map(({ option, value, because }) => ({
      explanation: `This is the correct result for ${option} = ${JSON.stringify(value)}${because ? ` (${because})` : ''}.`,
      fix: option in options ? `use ${option} = ${JSON.stringify(options[option])}` : `use the default ${option}`,
    })),
};
