import { describe, expect, it } from 'vitest';
import { parseNumber, parseTensor } from '../../web/tensors/parse.js';

describe('parseTensor', () => {
  it.each([
    [
      'JSON',
      '[[1, 2.5], [-3, 4e-2]]',
      [
        [1, 2.5],
        [-3, 0.04],
      ],
    ],
    [
      'a NumPy repr',
      'array([[1. , 2.5],\n       [3. , 4. ]])',
      [
        [1, 2.5],
        [3, 4],
      ],
    ],
    ['a NumPy repr with its dtype', 'array([1., 2.], dtype=float32)', [1, 2]],
    [
      'a NumPy print',
      '[[ 1.   2.5]\n [-3.   4. ]]',
      [
        [1, 2.5],
        [-3, 4],
      ],
    ],
    [
      'a PyTorch print',
      'tensor([[ 1.0000, -0.5000],\n        [ 0.2500,  2.0000]], dtype=torch.float64)',
      [
        [1, -0.5],
        [0.25, 2],
      ],
    ],
    ['a PyTorch print with a gradient', 'tensor([1., 2.], requires_grad=True)', [1, 2]],
    [
      'an assignment',
      'x = np.array([[1, 2], [3, 4]])',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'Python tuples',
      '((1, 2), (3, 4))',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['a list with a comma at its end', '[1, 2,]', [1, 2]],
    ['what is not finite', '[nan, inf, -inf]', ['NaN', 'Infinity', '-Infinity']],
    ['JSON of what is not finite', '["NaN", "-Infinity"]', ['NaN', '-Infinity']],
    ['a mask of Booleans', '[[True, False]]', [[1, 0]]],
    [
      'cells of a spreadsheet',
      '1\t2\n3\t4\n',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'cells of a spreadsheet with decimal commas',
      '1,5\t2\r\n3\t4,25',
      [
        [1.5, 2],
        [3, 4.25],
      ],
    ],
    [
      'CSV',
      '1,2\n3,4',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'CSV with blanks and an end',
      '1, 2,\n3, 4,\n',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'CSV with quotes',
      '"1.5","2"\r\n"3","-4e2"',
      [
        [1.5, 2],
        [3, -400],
      ],
    ],
    [
      'CSV with semicolons and decimal commas',
      '1,5;2\n3;4,25',
      [
        [1.5, 2],
        [3, 4.25],
      ],
    ],
    [
      'rows of MATLAB',
      '1 2; 3 4',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'rows of MATLAB in lines',
      '1, 2;\n3, 4;',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'numbers of NumPy 2 in a list',
      '[[np.float64(1.5), np.float32(-2.0)], [np.int64(3), np.float64(nan)]]',
      [
        [1.5, -2],
        [3, 'NaN'],
      ],
    ],
    ['one row', '1 2 3', [1, 2, 3]],
    ['one column', '1\n2', [[1], [2]]],
    ['a minus as books print it', '[−1]', [-1]],
  ])('reads %s', (_, text, expected) => {
    expect(parseTensor(text)).toEqual(expected);
  });

  it.each([
    ['', 'The text is empty; expected numbers.'],
    ['[1, apple]', '"apple" is not a number.'],
    ['[[1, 2]', 'A bracket is not closed.'],
    ['[1]]', 'There is one closing bracket too many.'],
    ['[1] [2]', 'Expected one array, in one pair of brackets.'],
    ['1\t\t3\n4\t\t6', 'Row 1 has an empty cell; expected a number in each.'],
    ['1,2\n,4', 'Row 2 has an empty cell; expected a number in each.'],
    ['1 2\n3', 'Row 2 has 1 numbers; expected 2, as in row 1.'],
    ['[[1, 2], [3]]', 'The rows have different lengths.'],
    ['[[], []]', 'It contains an empty array; expected numbers.'],
    ['[1 2 ... 9]', 'The array is abbreviated with "..."; print all of it.'],
  ])('explains why %j is refused', (text, message) => {
    expect(() => parseTensor(text)).toThrow(message);
  });
});

describe('parseNumber', () => {
  it.each([
    ['1.', 1],
    ['.5', 0.5],
    ['-1e-5', -1e-5],
    ['1_000', 1000],
    ['NaN', 'NaN'],
    ['-inf', '-Infinity'],
  ])('reads %s', (text, value) => {
    expect(parseNumber(text)).toBe(value);
  });

  it.each(['', '1,5', 'abc', '1e', '--1', '1e999', '0x10'])('does not read %j', (text) => {
    expect(parseNumber(text)).toBeUndefined();
  });
});
