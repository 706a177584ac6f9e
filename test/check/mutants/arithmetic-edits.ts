/** Slips in sums, products, constants and functions. */
import ts from 'typescript';
import type { Edit } from './definition.js';
import { replace } from './edit.js';
import { headerOf, isInSubscript, isNumber, isProduct, isSum, textOf } from './syntax.js';
import type { Parsed } from './sources.js';

const isOne = (node: ts.Node) => ts.isNumericLiteral(node) && node.text === '1';

export function* arithmeticEdits(node: ts.Node, parsed: Parsed): Generator<Edit> {
  // A loop's header has slips of its own.
  if (headerOf(node)) return;
  if (ts.isBinaryExpression(node)) {
    if (isSum(node) && isNumber(parsed, node)) yield* sumEdits(node);
    if (isProduct(node)) yield* productEdits(node);
    if (node.operatorToken.kind === ts.SyntaxKind.AsteriskAsteriskToken)
      yield replace(node, textOf(node.left), 'function', `the power ${textOf(node.right)} was left out`);
  }
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken) {
    yield replace(node, textOf(node.operand), 'sign', `the sign of ${textOf(node.operand)} was dropped`);
    if (textOf(node) === '-Infinity') yield replace(node, '0', 'constant', 'it starts at 0 instead of -Infinity');
  }
  if (ts.isNumericLiteral(node)) yield* constantEdits(node);
  if (ts.isCallExpression(node)) yield* functionEdits(node, parsed);
}

function* sumEdits(node: ts.BinaryExpression): Generator<Edit> {
  const { left, right, operatorToken: operator } = node;
  const isPlus = operator.kind === ts.SyntaxKind.PlusToken;
  yield replace(operator, isPlus ? '-' : '+', 'sign', `the sign of ${textOf(right)} was changed`);
  yield replace(node, textOf(left), 'term dropped', `the term ${textOf(right)} was dropped`);
  // The terms of a longer sum on the left are dropped one by one.
  if (!isSum(left))
    yield replace(node, isPlus ? textOf(right) : `-${textOf(right)}`, 'term dropped', `${textOf(left)} was dropped`);
  if (ts.isNumericLiteral(right) || isInSubscript(node)) return;
  const again = `${textOf(node)} ${textOf(operator)} ${textOf(right)}`;
  yield replace(node, again, 'term repeated', `the term ${textOf(right)} was added twice`);
}

function* productEdits(node: ts.BinaryExpression): Generator<Edit> {
  const { left, right, operatorToken: operator } = node;
  const [a, b] = [textOf(left), textOf(right)];
  const isTimes = operator.kind === ts.SyntaxKind.AsteriskToken;
  yield replace(operator, isTimes ? '/' : '*', 'operator', `${b} was ${isTimes ? 'divided by' : 'multiplied'}`);
  if (isTimes) yield replace(node, a, 'factor dropped', `the factor ${b} was dropped`);
  else yield replace(node, a, 'divisor dropped', `the divisor ${b} was dropped`);
  if (!isProduct(left) && !isOne(left))
    yield replace(node, isTimes ? b : `1 / ${b}`, 'factor dropped', `the factor ${a} was dropped`);
  if (isInSubscript(node)) return;
  if (!ts.isNumericLiteral(right))
    yield replace(node, `${a} ${textOf(operator)} ${b} ${textOf(operator)} ${b}`, 'factor repeated', `${b} twice`);
  if (isTimes && !isProduct(left) && !ts.isNumericLiteral(left))
    yield replace(node, `${a} * ${a} * ${b}`, 'factor repeated', `the factor ${a} was squared`);
}

/** Constants for which others are written by mistake. */
const CONSTANTS: Readonly<Record<string, readonly string[]>> = {
  '0': ['1'],
  '0.5': ['1', '2'],
  '1': ['0', '2'],
  '1.5': ['0.5', '1'],
  '2': ['1', '3'],
  '3': ['2', '4'],
  '4': ['3'],
};

const COMPARISONS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.LessThanToken,
  ts.SyntaxKind.LessThanEqualsToken,
  ts.SyntaxKind.GreaterThanToken,
  ts.SyntaxKind.GreaterThanEqualsToken,
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);

function* constantEdits(node: ts.NumericLiteral): Generator<Edit> {
  const { parent } = node;
  // The index edits change it.
  if (ts.isElementAccessExpression(parent)) return;
  const isCompared = ts.isBinaryExpression(parent) && COMPARISONS.has(parent.operatorToken.kind);
  // A sum that begins at 1, or a missing bias of 1, is no usual slip.
  const isStart = node.text === '0';
  const kind = isCompared || isStart ? 'other' : 'constant';
  for (const value of CONSTANTS[node.text] ?? [String(Number(node.text) * 10)])
    yield replace(node, value, kind, `${value} instead of ${node.text}`);
}

/** Pairs that are written for each other. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  'Math.max': 'Math.min',
  'Math.min': 'Math.max',
  'Math.ceil': 'Math.floor',
  'Math.floor': 'Math.ceil',
};

function* functionEdits(node: ts.CallExpression, parsed: Parsed): Generator<Edit> {
  const callee = textOf(node.expression);
  const [argument] = node.arguments;
  const other = FUNCTIONS[callee];
  if (other) yield replace(node.expression, other, 'function', `${other} instead of ${callee}`);
  if (callee === 'Math.tanh')
    yield replace(node, `1 / (1 + Math.exp(-(${textOf(argument)})))`, 'function', 'the sigmoid instead of tanh');
  const isSigmoid = /sigmoid|logistic/i.test(callee);
  if (node.arguments.length !== 1 || !isNumber(parsed, node) || !isNumber(parsed, argument)) return;
  if (isSigmoid) yield replace(node.expression, 'Math.tanh', 'function', 'tanh instead of the sigmoid');
  // Rounded sizes without rounding are no sizes.
  if (/floor|ceil|round/.test(callee)) return;
  yield replace(node, `(${textOf(argument)})`, 'function', `${callee} was left out`);
}
