/** Known mistakes in rnn, in addition to those of all recurrent layers and to slips in its formulas. */
import { rnn as layer } from '../../layers/rnn.js';
import { rnn as bounds } from '../bounds/rnn.js';
import { defineChecks, sharing, type Mistake } from '../define.js';
import { recurrentChecks } from './recurrence/instance.js';
import { recurrentMistakes } from './recurrence/mistakes.js';

const OUTPUTS = ['out', 'h_n'];
const GRADIENTS = ['dx', 'dh0', 'dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];

const Z = 'z[d,n,t,row_h]';

const FIX = 'dz_t = dh_t · (1 − h_t²) for tanh, and dh_t where h_t > 0 for relu';

const mistakes: readonly Mistake[] = sharing({ tensors: GRADIENTS }, [
  {
    id: 'derivative_missing',
    explanation: 'The gradient was not multiplied by the derivative of the nonlinearity.',
    fix: FIX,
    formulas: ['dz = dh'],
  },
  {
    id: 'derivative_of_preactivation',
    explanation:
      'The derivative of tanh was computed as 1 − z², from the pre-activation, or as 1 − tanh(h)², with tanh applied twice.',
    fix: 'dz_t = dh_t · (1 − h_t²)',
    needs: { nonlinearity: 'tanh' },
    ways: [{ formulas: [`dz = dh · (1 − ${Z}²)`] }, { formulas: ['dz = dh · (1 − tanh(h)²)'] }],
  },
  {
    id: 'derivative_of_the_other_nonlinearity',
    explanation: 'The derivative is that of another nonlinearity: of relu for tanh, of tanh for relu, or of a sigmoid.',
    fix: FIX,
    ways: [`positive(${Z})`, '(1 − h²)', 'h · (1 − h)'].map((derivative) => ({
      formulas: [`dz = dh · ${derivative}`],
    })),
  },
  {
    id: 'other_nonlinearity',
    tensors: [...OUTPUTS, ...GRADIENTS],
    explanation: 'Another nonlinearity was used: relu for tanh, tanh for relu, or a sigmoid.',
    fix: 'use the requested nonlinearity; tanh is the default',
    ways: [
      ['relu', `positive(${Z})`],
      ['tanh', '(1 − h²)'],
      ['σ', 'h · (1 − h)'],
    ].flatMap(([nonlinearity, derivative]) => [
      { formulas: [`h = ${nonlinearity}(${Z})`, `dz = dh · ${derivative}`] },
      // The derivative is that of the right one.
      { formulas: [`h = ${nonlinearity}(${Z})`] },
    ]),
  },
  {
    id: 'nonlinearity_missing',
    tensors: [...OUTPUTS, ...GRADIENTS],
    explanation: 'No nonlinearity was applied: h_t = z_t.',
    fix: 'h_t = tanh(z_t), or relu',
    ways: [{ formulas: [`h = ${Z}`, 'dz = dh'] }, { formulas: [`h = ${Z}`] }],
  },
]);

export const rnn = defineChecks({
  layer,
  bounds,
  ...recurrentChecks('tanh', 'row', { nonlinearity: 'tanh' }),
  mistakes: [...recurrentMistakes({ outputs: OUTPUTS, gradients: GRADIENTS }), ...mistakes],
});
