/** Parses numbers in the forms that people paste, as nested arrays. */
import { isRagged, shapeOf, type Nested } from './tensor.js';

/** What is wrong with a text, in words for the person who typed it. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

const NAMES: Readonly<Record<string, string>> = {
  nan: 'NaN',
  inf: 'Infinity',
  infinity: 'Infinity',
  '+inf': 'Infinity',
  '-inf': '-Infinity',
  '-infinity': '-Infinity',
  true: '1',
  false: '0',
};

/** A NumPy scalar as it is printed in a Python list: `np.float64(1.5)`. */
const SCALAR = /\b(?:np|numpy)\.[a-z]+\d*_?\(([^()[\]]*)\)/g;

/**
 * Reads JSON, Python lists and tuples, the output of NumPy and PyTorch (`array([[1., 2.]])`, `tensor(…)`, or without
 * commas), and rows of a spreadsheet, separated by tabs, blanks, commas or semicolons.
 * @throws {Unreadable}
 */
export function parseTensor(text: string): Nested {
  const bare = unwrapped(text.trim()).replace(SCALAR, '$1');
  if (bare === '') throw new Unreadable('The text is empty; expected numbers.');
  if (bare.includes('...')) throw new Unreadable('The array is abbreviated with "..."; print all of it.');
  const tensor = /[[(]/.test(bare) ? bracketed(bare) : table(bare);
  const shape = shapeOf(tensor);
  if (isRagged(tensor, shape)) throw new Unreadable('The rows have different lengths.');
  if (shape.includes(0)) throw new Unreadable('It contains an empty array; expected numbers.');
  return tensor;
}

/** `np.array([…], dtype=float32)` without the text around the brackets. */
function unwrapped(text: string): string {
  const call = /^(?:[\w.]+\s*=\s*)?(?:[a-z_][\w.]*)\(\s*([[(][\s\S]*[\])])[^\])]*\)\s*;?$/i.exec(text);
  if (call) return call[1];
  return text.replace(/^[a-z_]\w*\s*=\s*/i, '');
}

export function parseNumber(text: string): number | string | undefined {
  const word = text.trim().replace('−', '-');
  const named = NAMES[word.toLowerCase()] as string | undefined;
  if (named !== undefined) return named.length === 1 ? Number(named) : named;
  // NumPy writes 1. and Python 1_000.
  if (!/^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word)) return undefined;
  const value = Number(word.replaceAll('_', ''));
  return Number.isFinite(value) ? value : undefined;
}

function numberIn(word: string): number | string {
  const value = parseNumber(word);
  if (value === undefined) throw new Unreadable(`${JSON.stringify(word)} is not a number.`);
  return value;
}

function bracketed(text: string): Nested {
  const tokens = text.match(/[[\]()]|[^[\](),;\s"']+/g) ?? [];
  const stack: Nested[][] = [[]];
  for (const token of tokens)
    if (token === '[' || token === '(') stack.push([]);
    else if (token === ']' || token === ')') {
      const inner = stack.pop();
      const outer = stack.at(-1);
      if (!inner || !outer) throw new Unreadable('There is one closing bracket too many.');
      outer.push(inner);
    } else stack.at(-1)?.push(numberIn(token));
  const [whole] = stack;
  if (stack.length > 1) throw new Unreadable('A bracket is not closed.');
  if (whole.length !== 1) throw new Unreadable('Expected one array, in one pair of brackets.');
  return whole[0];
}

/** Each line is a row; a single line is a vector. */
function table(text: string): Nested {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  // In several lines, semicolons between numbers separate cells. In one line, or at the ends of lines, they separate
  // rows, as in MATLAB.
  const areCells = lines.length > 1 && lines.some((line) => /;\s*[^\s;]/.test(line));
  const rows = (areCells ? lines : lines.flatMap((line) => line.split(';')))
    .filter((line) => line.trim() !== '')
    .map((line, i) => cellsOf(line, areCells).map((word) => numberIn(bareCell(word, i))));
  const odd = rows.findIndex((row) => row.length !== rows[0].length);
  if (odd >= 0)
    throw new Unreadable(`Row ${odd + 1} has ${rows[odd].length} numbers; expected ${rows[0].length}, as in row 1.`);
  return rows.length === 1 ? rows[0] : rows;
}

function cellsOf(line: string, areCells: boolean): string[] {
  // If tabs or semicolons separate the cells, a comma is a decimal comma.
  const separator = areCells ? ';' : line.includes('\t') ? '\t' : undefined;
  if (separator) return withoutEnd(line.split(separator)).map((word) => word.replace(',', '.'));
  const bare = line.trim();
  return bare.includes(',')
    ? withoutEnd(bare.split(',')).flatMap((word) => word.trim().split(/\s+/))
    : bare.split(/\s+/);
}

/** Drops the empty cell after a separator at the end of a line. */
const withoutEnd = (words: string[]): string[] => (words.at(-1)?.trim() === '' ? words.slice(0, -1) : words);

/** A cell without the quotes that CSV may have around it. */
function bareCell(word: string, row: number): string {
  const bare = word.trim().replace(/^"(.*)"$/, '$1');
  if (bare === '') throw new Unreadable(`Row ${row + 1} has an empty cell; expected a number in each.`);
  return bare;
}
