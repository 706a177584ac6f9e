/** Known mistakes in rnn, in addition to those of all recurrent layers. */
import { rnn as layer } from '../../layers/rnn.js';
import { rnn as bounds } from '../bounds/rnn.js';
import { defineChecks, sharing, type Steps } from '../definition.js';
import { recurrentChecks } from './recurrence/instance.js';
import { recurrentMistakes } from './recurrence/mistakes.js';
import {
  recurrentSteps,
  type Given,
  type Made,
  type RecurrentMistake,
  type State,
  type Unit,
} from './recurrence/steps.js';

const OUTPUTS = ['out', 'h_n'];
const GRADIENTS = ['dx', 'dh0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];
const ALL = [...OUTPUTS, ...GRADIENTS];

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

const derivativeOf = ({ h }: Unit, { nonlinearity }: Pick<State, 'nonlinearity'>) => {
  if (nonlinearity === 'tanh') return 1 - h * h;
  return h > 0 ? 1 : 0;
};

const other = ({ nonlinearity }: Given) => ({ nonlinearity: nonlinearity === 'tanh' ? 'relu' : 'tanh' });

const steps: Steps<Given, Made> = {
  ...recurrentSteps,
  unit: (s) => unitWith(s.nonlinearity === 'tanh' ? Math.tanh : relu),
  unitBack: backWith(derivativeOf),
};

const TANH = { nonlinearity: 'tanh' };

const mistakes: readonly RecurrentMistake[] = sharing({ tensors: GRADIENTS }, [
  {
    id: 'derivative_missing',
    explanation: 'The gradient was not multiplied by the derivative of the nonlinearity.',
    fix: 'dz_t = dh_t · (1 − h_t²) for tanh, and dh_t where h_t > 0 for relu',
    steps: { unitBack: backWith(() => 1) },
  },
  {
    id: 'derivative_of_preactivation',
    explanation:
      'The derivative of tanh was computed as 1 − z², from the pre-activation, or as 1 − tanh(h)², with tanh applied twice.',
    fix: 'dz_t = dh_t · (1 − h_t²)',
    needs: TANH,
    ways: [
      { steps: { unitBack: backWith(({ z }) => 1 - z[0] ** 2) } },
      { steps: { unitBack: backWith(({ h }) => 1 - Math.tanh(h) ** 2) } },
    ],
  },
  {
    id: 'derivative_without_square',
    explanation: 'The derivative of tanh was computed as 1 − h.',
    fix: 'dz_t = dh_t · (1 − h_t²)',
    needs: TANH,
    steps: { unitBack: backWith(({ h }) => 1 - h) },
  },
  {
    id: 'derivative_of_sigmoid',
    explanation: 'The derivative is that of a sigmoid, h · (1 − h).',
    fix: 'dz_t = dh_t · (1 − h_t²) for tanh, and dh_t where h_t > 0 for relu',
    steps: { unitBack: backWith(({ h }) => h * (1 - h)) },
  },
  {
    id: 'derivative_of_the_other_nonlinearity',
    explanation: 'The derivative is that of the other nonlinearity: of relu for tanh, or of tanh for relu.',
    fix: 'dz_t = dh_t · (1 − h_t²) for tanh, and dh_t where h_t > 0 for relu',
    steps: { unitBack: backWith((unit, s) => derivativeOf(unit, other(s))) },
  },
  {
    id: 'other_nonlinearity',
    tensors: ALL,
    explanation: 'Another nonlinearity was used: relu for tanh, tanh for relu, or a sigmoid.',
    fix: 'use the requested nonlinearity; tanh is the default',
    ways: [
      { given: other },
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
    tensors: ALL,
    explanation: 'No nonlinearity was applied: h_t = z_t.',
    fix: 'h_t = tanh(z_t), or relu',
    steps: { unit: () => unitWith((z) => z), unitBack: backWith(() => 1) },
  },
]);

export const rnn = defineChecks<Given, Made>({
  layer,
  bounds,
  ...recurrentChecks('tanh', 'row', { nonlinearity: 'tanh' }),
  steps,
  mistakes: [...recurrentMistakes({ outputs: OUTPUTS, gradients: GRADIENTS }), ...mistakes],
  slowness: 100,
});
