/** The common behaviour of rnn and lstm over time: the same tests for both. */
import { expect, it } from 'vitest';
import type { RecurrentInputs, RecurrentOptions } from '../../src/layers/recurrence.js';
import {
  tensor,
  zeros,
  type FloatTensor,
  type IntegerTensor,
  type Shape,
  type Tensor,
} from '../../src/tensor/tensor.js';
import { expectNear, integers, nested, refusalOf } from './layer.js';
import { randomNumbers } from './random.js';

type Tensors = Readonly<Record<string, Tensor | undefined>>;

/** A call of either layer; backward accepts any upstream gradients. */
export type Recurrent = (
  inputs: RecurrentInputs,
  options?: Partial<RecurrentOptions>,
) => { readonly outputs: Tensors; readonly backward: (upstream: Record<string, FloatTensor>) => Tensors };

type Weights = Record<'x' | 'weight_ih' | 'weight_hh' | 'bias_ih' | 'bias_hh', FloatTensor>;

/** Dimensions of the calls below. */
const [N, T, I, H] = [3, 4, 2, 3];
const LENGTHS = [2, 4, 0];

/** The slice of a tensor at `index` of `axis`, without that axis. */
function take({ shape, data }: Tensor, axis: number, index: number): FloatTensor {
  const inner = shape.slice(axis + 1).reduce((size, n) => size * n, 1);
  const step = inner * shape[axis];
  const values = Array.from(data).filter((_, i) => Math.floor((i % step) / inner) === index);
  return tensor(shape.toSpliced(axis, 1), Float64Array.from(values));
}

/** The tensor without the elements from `end` on along `axis`. */
function cut({ shape, data }: Tensor, axis: number, end: number): FloatTensor {
  const inner = shape.slice(axis + 1).reduce((size, n) => size * n, 1);
  const step = inner * shape[axis];
  const values = Array.from(data).filter((_, i) => Math.floor((i % step) / inner) < end);
  return tensor(shape.with(axis, end), Float64Array.from(values));
}

/** Reversed along `axis`. */
function reversed({ shape, data }: Tensor, axis: number): FloatTensor {
  const inner = shape.slice(axis + 1).reduce((size, n) => size * n, 1);
  const last = shape[axis] - 1;
  const values = Array.from(data, (_, i) => data[i + (last - 2 * (Math.floor(i / inner) % (last + 1))) * inner]);
  return tensor(shape, Float64Array.from(values));
}

/** With the first two axes exchanged. */
function exchanged({ shape: [a, b, c], data }: Tensor): FloatTensor {
  const values = Array.from(data, (_, i) => {
    const [row, column, k] = [Math.floor(i / (a * c)), Math.floor(i / c) % a, i % c];
    return data[(column * b + row) * c + k];
  });
  return tensor([b, a, c], Float64Array.from(values));
}

/** @param states names of the states, `h`, or `h` and `c` */
export function itIsRecurrent(call: Recurrent, gates: 1 | 4, states: readonly string[]): void {
  const R = gates * H;
  const some = (shape: Shape) => randomNumbers(shape.length * 31 + shape[0]).tensor(shape);
  const inputsOf = (...leading: number[]): Weights & Record<string, FloatTensor> => {
    const numbers = randomNumbers(1);
    return {
      x: numbers.tensor([N, T, I]),
      weight_ih: numbers.tensor([...leading, R, I]),
      weight_hh: numbers.tensor([...leading, R, H]),
      bias_ih: numbers.tensor([...leading, R]),
      bias_hh: numbers.tensor([...leading, R]),
      ...Object.fromEntries(states.map((state) => [`${state}0`, numbers.tensor([...leading, N, H])])),
    };
  };
  const lastStates = states.map((state) => `${state}_n`);
  const upstreamOf = (outputs: Tensors, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [`d${name}`, some((outputs[name] as Tensor).shape)]));
  const all = ['out', ...lastStates];
  const expectEqual = (actual: Tensor | undefined, expected: Tensor | undefined) => {
    expectNear(actual, nested(expected) ?? NaN);
  };

  it('returns the state after each step in out, and after the last step in h_n', () => {
    const { outputs } = call(inputsOf());
    expect(outputs.out?.shape).toEqual([N, T, H]);
    expect(outputs.h_n).toEqual(take(outputs.out as Tensor, 1, T - 1));
  });

  it('continues from the final states of an earlier call', () => {
    const inputs = inputsOf();
    const whole = call(inputs).outputs;
    const half = call({ ...inputs, x: cut(inputs.x, 1, 2) }).outputs;
    const later = Object.fromEntries(states.map((state) => [`${state}0`, half[`${state}_n`]]));
    const rest = call({ ...inputs, x: reversed(cut(reversed(inputs.x, 1), 1, 2), 1), ...later }).outputs;
    for (const name of lastStates) expectEqual(rest[name], whole[name]);
  });

  it('treats a missing initial state or bias as zeros', () => {
    const { x, weight_ih, weight_hh } = inputsOf();
    const bare = call({ x, weight_ih, weight_hh }).outputs;
    const none = Object.fromEntries(states.map((state) => [`${state}0`, zeros('float64', [N, H])]));
    const bias = zeros('float64', [R]);
    expect(call({ x, weight_ih, weight_hh, bias_ih: bias, bias_hh: bias, ...none }).outputs).toEqual(bare);
  });

  it('adds the two biases, and returns equal gradients for both', () => {
    const inputs = inputsOf();
    const { x, weight_ih, weight_hh, bias_ih, bias_hh } = inputs;
    const sum = tensor(
      [R],
      Float64Array.from(bias_ih.data, (value, i) => value + bias_hh.data[i]),
    );
    const both = call({ x, weight_ih, weight_hh, bias_ih, bias_hh });
    for (const one of [{ bias_ih: sum }, { bias_hh: sum }])
      expectEqual(call({ x, weight_ih, weight_hh, ...one }).outputs.out, both.outputs.out);
    const { dbias_ih, dbias_hh } = both.backward(upstreamOf(both.outputs, ['out']));
    expect(dbias_ih).toEqual(dbias_hh);
  });

  it('starts at the last step in reverse, and returns the steps in time order', () => {
    const inputs = inputsOf();
    const there = call({ ...inputs, x: reversed(inputs.x, 1) });
    const back = call(inputs, { direction: 'reverse' });
    expect(back.outputs.out).toEqual(reversed(there.outputs.out as Tensor, 1));
    for (const name of lastStates) expect(back.outputs[name]).toEqual(there.outputs[name]);
    const upstream = upstreamOf(back.outputs, all);
    const expected = there.backward({ ...upstream, dout: reversed(upstream.dout, 1) });
    expect(back.backward(upstream)).toEqual({ ...expected, dx: reversed(expected.dx as Tensor, 1) });
  });

  it('runs in both directions if bidirectional, each with its own weights and states', () => {
    const inputs = inputsOf(2);
    const both = call(inputs, { direction: 'bidirectional' });
    expect(both.outputs.out?.shape).toEqual([N, T, 2 * H]);
    const upstream = upstreamOf(both.outputs, all);
    const gradients = both.backward(upstream);
    const dxs = (['forward', 'reverse'] as const).map((direction, d) => {
      const { x, ...others } = inputs;
      const own = Object.fromEntries(Object.entries(others).map(([name, given]) => [name, take(given, 0, d)]));
      const one = call({ x, ...own } as Weights, { direction });
      const features = (given: Tensor) => {
        const halves = { ...given, shape: [N, T, 2, H] };
        return take(halves, 2, d);
      };
      expect(one.outputs.out).toEqual(features(both.outputs.out as Tensor));
      const ownUpstream = Object.fromEntries(
        Object.entries(upstream).map(([name, given]) => [name, name === 'dout' ? features(given) : take(given, 0, d)]),
      );
      const { dx, ...ownGradients } = one.backward(ownUpstream);
      for (const name of lastStates) expect(one.outputs[name]).toEqual(take(both.outputs[name] as Tensor, 0, d));
      for (const [name, gradient] of Object.entries(ownGradients))
        expect(gradient, name).toEqual(take(gradients[name] as Tensor, 0, d));
      return (dx as FloatTensor).data;
    });
    const [ahead, behind] = dxs;
    const sum = tensor(
      [N, T, I],
      Float64Array.from(ahead, (value, i) => value + behind[i]),
    );
    expectEqual(gradients.dx, sum);
  });

  it('reads [T, N, …] instead of [N, T, …] if time_major', () => {
    const inputs = inputsOf();
    const batchFirst = call(inputs);
    const timeFirst = call({ ...inputs, x: exchanged(inputs.x) }, { time_major: true });
    expect(timeFirst.outputs).toEqual({ ...batchFirst.outputs, out: exchanged(batchFirst.outputs.out as Tensor) });
    const upstream = upstreamOf(batchFirst.outputs, all);
    const expected = batchFirst.backward(upstream);
    const actual = timeFirst.backward({ ...upstream, dout: exchanged(upstream.dout) });
    expect(actual).toEqual({ ...expected, dx: exchanged(expected.dx as Tensor) });
  });

  it.each(['forward', 'reverse'] as const)(
    'computes each sequence as if it were the only one, with its own length, %s',
    (direction) => {
      const inputs = inputsOf();
      const { x, weight_ih, weight_hh, bias_ih, bias_hh, ...first } = inputs;
      const weights = { weight_ih, weight_hh, bias_ih, bias_hh };
      const batch = call({ ...inputs, sequence_lengths: integers(LENGTHS) }, { direction });
      const upstream = upstreamOf(batch.outputs, all);
      const gradients = batch.backward(upstream);
      const total: Record<string, number[]> = {};
      LENGTHS.forEach((length, n) => {
        const one = (given: Tensor): FloatTensor => {
          const row = take(given, 0, n);
          return { ...row, shape: [1, ...row.shape] };
        };
        const own = Object.fromEntries(Object.entries(first).map(([name, given]) => [name, one(given)]));
        if (!length) {
          for (const state of states) {
            expect(one(batch.outputs[`${state}_n`] as Tensor)).toEqual(own[`${state}0`]);
            expect(one(gradients[`d${state}0`] as Tensor)).toEqual(one(upstream[`d${state}_n`]));
          }
          return;
        }
        const alone = call({ x: cut(one(x), 1, length), ...weights, ...own }, { direction });
        expectEqual(cut(one(batch.outputs.out as Tensor), 1, length), alone.outputs.out);
        for (const name of lastStates) expectEqual(one(batch.outputs[name] as Tensor), alone.outputs[name]);

        const { dout, ...others } = upstream;
        const ownOthers = Object.fromEntries(Object.entries(others).map(([name, given]) => [name, one(given)]));
        const ownGradients = alone.backward({ dout: cut(one(dout), 1, length), ...ownOthers });
        expectEqual(cut(one(gradients.dx as Tensor), 1, length), ownGradients.dx);
        for (const state of states) expectEqual(one(gradients[`d${state}0`] as Tensor), ownGradients[`d${state}0`]);
        for (const name of Object.keys(weights)) {
          const { data } = ownGradients[`d${name}`] as FloatTensor;
          total[name] = Array.from(data, (value, i) => value + (n ? total[name][i] : 0));
        }
      });
      for (const name of Object.keys(weights)) {
        const gradient = gradients[`d${name}`] as Tensor;
        expectEqual(gradient, tensor(gradient.shape, Float64Array.from(total[name])));
      }
    },
  );

  it.each(['forward', 'reverse', 'bidirectional'] as const)(
    'returns zeros past the end of a sequence, whatever the input there, %s',
    (direction) => {
      const inputs = inputsOf(...(direction === 'bidirectional' ? [2] : []));
      const sequence_lengths: IntegerTensor = integers(LENGTHS);
      const past = (i: number, size: number) => Math.floor(i / size) % T >= LENGTHS[Math.floor(i / (T * size))];
      const x = tensor(
        [N, T, I],
        inputs.x.data.map((value, i) => (past(i, I) ? NaN : value)),
      );
      const clean = call({ ...inputs, sequence_lengths }, { direction });
      const { outputs, backward } = call({ ...inputs, x, sequence_lengths }, { direction });
      expect(outputs).toEqual(clean.outputs);
      const out = outputs.out as Tensor;
      expect(
        Array.from(out.data)
          .filter((_, i) => past(i, out.shape[2]))
          .every((value) => value === 0),
      ).toBe(true);

      const upstream = upstreamOf(outputs, all);
      const dout = tensor(
        out.shape,
        Float64Array.from(upstream.dout.data, (value, i) => (past(i, out.shape[2]) ? NaN : value)),
      );
      const gradients = backward({ ...upstream, dout });
      expect(gradients).toEqual(clean.backward(upstream));
      const dx = (gradients.dx as Tensor).data;
      expect(
        Array.from(dx)
          .filter((_, i) => past(i, I))
          .every((value) => value === 0),
      ).toBe(true);
    },
  );

  it('returns the initial states, and passes their gradients back, if all lengths are 0', () => {
    const { outputs, backward } = call({ ...inputsOf(), sequence_lengths: integers([0, 0, 0]) });
    const inputs = inputsOf();
    expect(outputs.out).toEqual(zeros('float64', [N, T, H]));
    const upstream = upstreamOf(outputs, all);
    const gradients = backward(upstream);
    for (const state of states) {
      expect(outputs[`${state}_n`]).toEqual(inputs[`${state}0`]);
      expect(gradients[`d${state}0`]).toEqual(upstream[`d${state}_n`]);
    }
    for (const name of ['x', 'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'])
      expect(gradients[`d${name}`]).toEqual(zeros('float64', inputs[name].shape));
  });

  it('treats lengths of T like no lengths', () => {
    const inputs = inputsOf();
    const without = call(inputs);
    const whole = call({ ...inputs, sequence_lengths: integers([T, T, T]) });
    expect(whole.outputs).toEqual(without.outputs);
    const upstream = upstreamOf(without.outputs, all);
    expect(whole.backward(upstream)).toEqual(without.backward(upstream));
  });

  it('treats a missing upstream gradient as zero', () => {
    const { outputs, backward } = call(inputsOf());
    const upstream = upstreamOf(outputs, all);
    const nothing = Object.fromEntries(all.map((name) => [`d${name}`, zeros('float64', upstream[`d${name}`].shape)]));
    for (const name of Object.keys(upstream))
      expect(backward({ [name]: upstream[name] })).toEqual(backward({ ...nothing, [name]: upstream[name] }));
  });

  it('returns the same gradients when called again', () => {
    const { outputs, backward } = call(inputsOf());
    const upstream = upstreamOf(outputs, all);
    const once = structuredClone(backward(upstream));
    backward(upstreamOf(outputs, lastStates));
    expect(backward(upstream)).toEqual(once);
  });

  it('accepts sizes of 1', () => {
    const one = (...shape: number[]) => some(shape);
    const { outputs, backward } = call({
      x: one(1, 1, 1),
      weight_ih: one(gates, 1),
      weight_hh: one(gates, 1),
    });
    expect(outputs.out?.shape).toEqual([1, 1, 1]);
    expect(backward({ dout: one(1, 1, 1) }).dx?.shape).toEqual([1, 1, 1]);
  });

  it('returns gradients only for the tensors that were given', () => {
    const { x, weight_ih, weight_hh } = inputsOf();
    const { outputs, backward } = call({ x, weight_ih, weight_hh });
    expect(Object.keys(outputs)).toEqual(all);
    expect(Object.keys(backward(upstreamOf(outputs, ['out'])))).toEqual(['dx', 'dweight_ih', 'dweight_hh']);
  });
}

/** The refusals of shapes and lengths, with their messages. */
export function itRefusesRecurrent(call: Recurrent, gates: 1 | 4, states: readonly string[]): void {
  const R = gates * H;
  const rows = gates === 1 ? 'H' : '4H';
  const given = (shape: Shape) => zeros('float64', shape);
  const good = { x: given([N, T, I]), weight_ih: given([R, I]), weight_hh: given([R, H]) };
  const refused = (wrong: Partial<RecurrentInputs>, options: Partial<RecurrentOptions> = {}) =>
    refusalOf(() => call({ ...good, ...wrong }, options));
  const wrongShape = (name: string, detail: string) => ({ kind: 'shape-mismatch', path: [name], detail });

  it('x of a rank other than 3', () => {
    expect(refused({ x: given([N, I]) })).toEqual(wrongShape('x', `x has shape [${N}, ${I}]; expected [N, T, I]`));
    expect(refused({ x: given([N, I]) }, { time_major: true })).toEqual(
      wrongShape('x', `x has shape [${N}, ${I}]; expected [T, N, I]`),
    );
  });

  it('a weight_hh of the wrong rank for the direction', () => {
    expect(refused({ weight_hh: given([2, R, H]) })).toEqual(
      wrongShape(
        'weight_hh',
        `weight_hh has shape [2, ${R}, ${H}]; expected [${rows}, H], because direction is "forward"`,
      ),
    );
    expect(refused({ weight_ih: given([2, R, I]) }, { direction: 'bidirectional' })).toEqual(
      wrongShape(
        'weight_hh',
        `weight_hh has shape [${R}, ${H}]; expected [2, ${rows}, H], because direction is "bidirectional"`,
      ),
    );
  });

  it('the first wrong tensor, if there are several', () => {
    expect(refused({}, { direction: 'bidirectional' })).toEqual(
      wrongShape(
        'weight_ih',
        `weight_ih has shape [${R}, ${I}]; expected [2, ${rows}, ${I}], because direction is "bidirectional" and x has ${I} features`,
      ),
    );
    const wrong = { bias_hh: given([1]), sequence_lengths: integers([1]), h0: given([1]) };
    const order = ['bias_ih', 'bias_hh', 'sequence_lengths', 'h0'] as const;
    const names = order.map((_, i) =>
      refused(Object.fromEntries(order.slice(i).map((name) => [name, { bias_ih: given([1]), ...wrong }[name]]))),
    );
    expect(names.map((refusal) => refusal.path)).toEqual(order.map((name) => [name]));
  });

  it('a weight_hh whose axes do not fit each other', () => {
    expect(refused({ weight_hh: given([R + 1, H]) })).toEqual(
      wrongShape(
        'weight_hh',
        `weight_hh has shape [${R + 1}, ${H}]; expected [${R}, ${H}], because its last axis is H = ${H}, and the other one is ${rows}`,
      ),
    );
    expect(
      refused({ weight_ih: given([2, R, I]), weight_hh: given([3, R, H]) }, { direction: 'bidirectional' }),
    ).toEqual(
      wrongShape(
        'weight_hh',
        `weight_hh has shape [3, ${R}, ${H}]; expected [2, ${rows}, H], because direction is "bidirectional"`,
      ),
    );
  });

  it('a weight_ih for other features', () => {
    expect(refused({ weight_ih: given([R, I + 1]) })).toEqual(
      wrongShape(
        'weight_ih',
        `weight_ih has shape [${R}, ${I + 1}]; expected [${rows}, ${I}], because direction is "forward" and x has ${I} features`,
      ),
    );
  });

  it('a weight_ih for other hidden features', () => {
    expect(refused({ weight_ih: given([R + 1, I]) })).toEqual(
      wrongShape(
        'weight_ih',
        `weight_ih has shape [${R + 1}, ${I}]; expected [${R}, ${I}], because weight_hh has ${H} hidden features and x has ${I} features`,
      ),
    );
  });

  it.each(['bias_ih', 'bias_hh'])('a %s of another size', (name) => {
    expect(refused({ [name]: given([R + 1]) })).toEqual(
      wrongShape(name, `${name} has shape [${R + 1}]; expected [${R}], because weight_hh has ${H} hidden features`),
    );
  });

  it.each(states.map((state) => `${state}0`))('a %s of another shape', (name) => {
    const because = `because x has a batch of ${N} and weight_hh has ${H} hidden features`;
    expect(refused({ [name]: given([N, H + 1]) })).toEqual(
      wrongShape(name, `${name} has shape [${N}, ${H + 1}]; expected [${N}, ${H}], ${because}`),
    );
    const both = { weight_ih: given([2, R, I]), weight_hh: given([2, R, H]) };
    expect(refused({ ...both, [name]: given([N, H]) }, { direction: 'bidirectional' })).toEqual(
      wrongShape(name, `${name} has shape [${N}, ${H}]; expected [2, ${N}, ${H}], ${because}`),
    );
  });

  it('lengths for another batch', () => {
    expect(refused({ sequence_lengths: integers([1, 2]) })).toEqual(
      wrongShape('sequence_lengths', `sequence_lengths has shape [2]; expected [${N}], because x has a batch of ${N}`),
    );
    // With time first, the batch is the second axis.
    expect(refused({ sequence_lengths: integers([1, 1, 1]) }, { time_major: true })).toEqual(
      wrongShape('sequence_lengths', `sequence_lengths has shape [3]; expected [${T}], because x has a batch of ${T}`),
    );
  });

  it.each([-1, T + 1])('a length of %i', (length) => {
    expect(refused({ sequence_lengths: integers([1, length, T]) })).toEqual({
      kind: 'value-mismatch',
      path: ['sequence_lengths', 1],
      detail: `sequence_lengths[1] is ${length}; expected 0 to ${T}, because x has ${T} time steps`,
    });
  });
}
