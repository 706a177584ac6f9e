import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pages } from '../../web/layers/pages.js';
import { readAddress, writeAddress } from '../../web/state/address.js';
import { initialState } from '../../web/state/state.js';

const names = pages.map(({ name }) => name);

describe('an address', () => {
  it.each(names)('of %s restores its state', (name) => {
    const state = { ...initialState(name), pinned: { tensor: 'out', index: [0, 1] }, claims: { dx: [[1, 'NaN']] } };
    expect(readAddress(writeAddress(state), names)).toEqual({ layer: name, state });
  });

  it('restores any option and any mistyped number', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.jsonValue(), (typed, option) => {
        const state = {
          ...initialState('linear'),
          inputs: { x: [[1, typed]] },
          options: { padding: JSON.parse(JSON.stringify(option)) as unknown },
          pinned: undefined,
        };
        expect(readAddress(writeAddress(state), names)).toEqual({ layer: 'linear', state });
      }),
    );
  });

  it('of a layer without parameters names the layer, and any other is rejected', () => {
    expect(readAddress('#/rnn', names)).toEqual({ layer: 'rnn' });
    expect(readAddress('#/softmax?x=[1]', names)).toBeUndefined();
    expect(readAddress('#/two_words', ['two_words'])).toEqual({ layer: 'two_words' });
    expect(readAddress('', names)).toBeUndefined();
  });

  it('omits values that are not tensors', () => {
    const hash = '#/linear?x=[[1],[2,3]]&weight=5&bias={"a":1}&-dout=[]&!dx=[[null]]&.rate=[null]';
    expect(readAddress(hash, names)?.state).toMatchObject({
      inputs: {},
      upstream: {},
      claims: {},
      options: { rate: [null] },
    });
  });

  it('ignores parts that cannot be read', () => {
    expect(readAddress('#/linear?x=[[1]]&weight=[[&.epsilon=%E0%A4%A&at=out,x', names)?.state).toEqual({
      layer: 'linear',
      inputs: { x: [[1]] },
      options: {},
      upstream: {},
      claims: {},
      pinned: undefined,
    });
  });
});
