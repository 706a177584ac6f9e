/** How an rnn goes wrong, beside what recurrent layers get wrong alike. */
import { rnn as layer } from '../../layers/rnn.js';
import { defineChecks, type Steps } from '../definition.js';
import {
  recurrentAxes,
  recurrentConstants,
  recurrentExample,
  recurrentGiven,
  recurrentReadings,
} from './recurrence/call.js';
import { recurrentMistakes } from './recurrence/mistakes.js';
import {
  recurrentSteps,
  type Given,
  type Made,
  type RecurrentMistake,
  type State,
  type Unit,
} from './recurrence/steps.js';

const ALL = ['out', 'h_n'];
const GRADIENTS = ['dx', 'dh0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];

const unitWith = (f: (z: number) => number) => (z: readonly number[]) => ({
  z,
  a: [f(z[0])],
  h: f(z[0]),
  c: 0,
  cBefore: 0,
});

const relu = (z: number) => (z > 0 ? z : 0);

const backWith = (derivative: (unit: Unit, s: State) => number) => (s: State) => (unit: Unit, dh: number) => ({
  dz: [dh * derivative(unit, s)],
  dc: 0,
});

const derivativeOf = ({ h }: Unit, { nonlinearity }: State) => {
  if (nonlinearity === 'tanh') return 1 - h * h;
  return h > 0 ? 1 : 0;
};

const steps: Steps<Given, Made> = {
  ...recurrentSteps,
  unit: (s) => unitWith(s.nonlinearity === 'tanh' ? Math.tanh : relu),
  unitBack: backWith(derivativeOf),
};

const TANH = { nonlinearity: 'tanh' };

const mistakes: readonly RecurrentMistake[] = [
  ...recurrentMistakes({ outputs: ALL, gradients: GRADIENTS }),
  {
    id: 'derivative_missing',
    tensors: GRADIENTS,
    explanation: 'The gradient was not multiplied by the derivative of the nonlinearity.',
    fix: 'dz_t = dh_t · (1 − h_t²) for tanh, and dh_t where h_t > 0 for relu',
    ways: [{ steps: { unitBack: backWith(() => 1) } }],
  },
  {
    id: 'derivative_of_preactivation',
    tensors: GRADIENTS,
    explanation:
      "tanh's derivative was taken as 1 − z², of the pre-activation, or as 1 − tanh(h)², of what is tanh already.",
    fix: 'dz_t = dh_t · (1 − h_t²)',
    needs: TANH,
    ways: [
      { steps: { unitBack: backWith(({ z }) => 1 - z[0] ** 2) } },
      { steps: { unitBack: backWith(({ h }) => 1 - Math.tanh(h) ** 2) } },
    ],
  },
  {
    id: 'derivative_without_square',
    tensors: GRADIENTS,
    explanation: "tanh's derivative was taken as 1 − h.",
    fix: 'dz_t = dh_t · (1 − h_t²)',
    needs: TANH,
    ways: [{ steps: { unitBack: backWith(({ h }) => 1 - h) } }],
  },
  {
    id: 'derivative_of_sigmoid',
    tensors: GRADIENTS,
    explanation: 'The derivative is that of a sigmoid, h · (1 − h).',
    fix: 'dz_t = dh_t · (1 − h_t²) for tanh, and dh_t where h_t > 0 for relu',
    ways: [{ steps: { unitBack: backWith(({ h }) => h * (1 - h)) } }],
  },
  {
    id: 'derivative_of_the_other_nonlinearity',
    tensors: GRADIENTS,
    explanation: 'The derivative is that of the other nonlinearity: of relu for tanh, or of tanh for relu.',
    fix: 'dz_t = dh_t · (1 − h_t²) for tanh, and dh_t where h_t > 0 for relu',
    ways: [
      {
        steps: {
          unitBack: backWith(({ h }, { nonlinearity }) => {
            if (nonlinearity === 'relu') return 1 - h * h;
            return h > 0 ? 1 : 0;
          }),
        },
      },
    ],
  },
  {
    id: 'other_nonlinearity',
    tensors: [...ALL, ...GRADIENTS],
    explanation: 'Another nonlinearity was used: relu for tanh, tanh for relu, or a sigmoid.',
    fix: 'use the nonlinearity that was asked for; tanh is the default',
    ways: [
      { given: ({ nonlinearity }) => ({ nonlinearity: nonlinearity === 'tanh' ? 'relu' : 'tanh' }) },
      {
        steps: {
          unit: () => unitWith((z) => 1 / (1 + Math.exp(-z))),
          unitBack: backWith(({ h }) => h * (1 - h)),
        },
      },
    ],
  },
  {
    id: 'nonlinearity_missing',
    tensors: [...ALL, ...GRADIENTS],
    explanation: 'No nonlinearity was applied: h_t = z_t.',
    fix: 'h_t = tanh(z_t), or relu',
    ways: [{ steps: { unit: () => unitWith((z) => z), unitBack: backWith(() => 1) } }],
  },
];

export const rnn = defineChecks<Given, Made>({
  layer,
  given: (call) => recurrentGiven(call, 1),
  steps,
  mistakes,
  slowness: 100,
  axes: recurrentAxes('row'),
  constants: recurrentConstants,
  readings: recurrentReadings,
  example: (numbers, needs) => recurrentExample(numbers, needs, 1),
});
