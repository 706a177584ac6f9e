import { Type } from '@sinclair/typebox';
import {
  recurrentGradients,
  recurrentInputs,
  recurrentOptions,
  recurrentOutputs,
  recurrentUpstream,
} from './recurrent.js';

export const RnnInputs = Type.Object(recurrentInputs('H'));

export const RnnOptions = Type.Object({
  nonlinearity: Type.Union([Type.Literal('tanh'), Type.Literal('relu')], {
    default: 'tanh',
    description: 'The nonlinear function, f in the formula.',
  }),
  ...recurrentOptions,
});

export const RnnOutputs = Type.Object(recurrentOutputs);

export const RnnUpstream = Type.Object(recurrentUpstream);

export const RnnGradients = Type.Object(recurrentGradients('H'));
