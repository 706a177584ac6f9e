/** Numbers as people have them on their clipboard, to nested arrays. */
import { isRagged, shapeOf, type Nested } from './tensor.js';

/** What was wrong with a text, in words for the person who typed it. */
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

/** A number of NumPy within a list of Python, as it prints itself: `np.float64(1.5)`. */
const SCALAR = /\b(?:np|numpy)\.[a-z]+\d*_?\(([^()[\]]*)\)/g;

/**
 * Reads JSON, Python lists and tuples, what NumPy and PyTorch print (`array([[1., 2.]])`, `tensor(…)`, or without
 * commas), and rows of a spreadsheet, by tabs, blanks, commas or semicolons.
 * @throws {Unreadable}
 */
export function parseTensor(text: string): Nested {
  const bare = unwrapped(text.trim()).replace(SCALAR, '$1');
  if (bare === '') throw new Unreadable('There is nothing here; expected numbers.');
  if (bare.includes('...')) throw new Unreadable('The print is shortened by "..."; print the whole array.');
  const tensor = /[[(]/.test(bare) ? bracketed(bare) : table(bare);
  const shape = shapeOf(tensor);
  if (isRagged(tensor, shape)) throw new Unreadable('Its rows are not all of one length.');
  if (shape.includes(0)) throw new Unreadable('There is an empty array in it; expected numbers.');
  return tensor;
}

/** `np.array([…], dtype=float32)` without what surrounds the brackets. */
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
      if (!inner || !outer) throw new Unreadable('There is a closing bracket too many.');
      outer.push(inner);
    } else stack.at(-1)?.push(numberIn(token));
  const [whole] = stack;
  if (stack.length > 1) throw new Unreadable('A bracket is not closed.');
  if (whole.length !== 1) throw new Unreadable('Expected one array, in one pair of brackets.');
  return whole[0];
}

/** One line a row; a single line is a vector. */
function table(text: string): Nested {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  // Between numbers of several lines, semicolons part cells; in one line, or at the end of each, rows, as in MATLAB.
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
  // With tabs or semicolons between them, a comma is what some spreadsheets have for a point.
  const separator = areCells ? ';' : line.includes('\t') ? '\t' : undefined;
  if (separator) return withoutEnd(line.split(separator)).map((word) => word.replace(',', '.'));
  const bare = line.trim();
  return bare.includes(',')
    ? withoutEnd(bare.split(',')).flatMap((word) => word.trim().split(/\s+/))
    : bare.split(/\s+/);
}

/** A separator at the end of a line has nothing behind it. */
const withoutEnd = (words: string[]): string[] => (words.at(-1)?.trim() === '' ? words.slice(0, -1) : words);

/** Without the quotes that CSV may have around it. */
function bareCell(word: string, row: number): string {
  const bare = word.trim().replace(/^"(.*)"$/, '$1');
  if (bare === '') throw new Unreadable(`Row ${row + 1} has an empty cell; expected a number in each.`);
  return bare;
}
