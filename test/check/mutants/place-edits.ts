/** Slips in places: subscripts, the bounds and the direction of loops, orders of arguments and axes. */
import ts from 'typescript';
import type { Edit, Kind } from './definition.js';
import { replace } from './edit.js';
import { areSameType, headerOf, isAllocation, isNumber, textOf } from './syntax.js';
import type { Parsed } from './sources.js';

export function* placeEdits(node: ts.Node, parsed: Parsed): Generator<Edit> {
  if (ts.isForStatement(node)) yield* loopEdits(node);
  if (headerOf(node)) return;
  if (ts.isElementAccessExpression(node)) yield* subscriptEdits(node, parsed);
  if (ts.isCallExpression(node)) yield* callEdits(node, parsed);
}

function* subscriptEdits(node: ts.ElementAccessExpression, parsed: Parsed): Generator<Edit> {
  const { argumentExpression: index, expression: of } = node;
  if (!isNumber(parsed, index)) return;
  yield* shifts(index, 'index off by one');
  if (!ts.isElementAccessExpression(of)) return;
  const [first, second] = [textOf(of.argumentExpression), textOf(index)];
  if (first !== second)
    yield replace(
      node,
      `${textOf(of.expression)}[${second}][${first}]`,
      'index exchanged',
      `the indices ${first} and ${second} were exchanged`,
    );
}

/** One more and one less; of `t - 1` also `t`, and of 0 only 1. */
function* shifts(node: ts.Expression, kind: Kind): Generator<Edit> {
  const text = textOf(node);
  const others: (string | number)[] = /^-?\d+$/.test(text)
    ? [Number(text) + 1, Number(text) - 1].filter((n) => text !== '0' || n > 0)
    : [];
  const offset = /^(.*) ([-+]) 1$/.exec(text);
  if (offset) others.push(offset[1], `${offset[1]} ${offset[2]} 2`);
  else if (others.length === 0) others.push(`${text} + 1`, `${text} - 1`);
  for (const other of others) yield replace(node, String(other), kind, `${other} instead of ${text}`);
}

const LESS: ReadonlySet<ts.SyntaxKind> = new Set([ts.SyntaxKind.LessThanToken, ts.SyntaxKind.LessThanEqualsToken]);
const WIDER: Readonly<Record<string, string>> = { '<': '<=', '>': '>=', '<=': '<', '>=': '>' };

function* loopEdits(node: ts.ForStatement): Generator<Edit> {
  const { initializer, condition, incrementor } = node;
  if (!initializer || !ts.isVariableDeclarationList(initializer)) return;
  const [{ name, initializer: start }] = initializer.declarations;
  if (!start || !condition || !ts.isBinaryExpression(condition)) return;
  yield* shifts(start, 'bound off by one');
  const { left, right, operatorToken: operator } = condition;
  const wider = WIDER[textOf(operator)];
  if (!wider || textOf(left) !== textOf(name)) return;
  yield replace(operator, wider, 'bound off by one', `${wider} instead of ${textOf(operator)}`);
  if (LESS.has(operator.kind)) yield replace(right, `${textOf(right)} - 1`, 'bound off by one', 'it stops one early');
  else yield replace(right, `${textOf(right)} + 1`, 'bound off by one', 'it stops one early');

  const [i, first, last] = [textOf(name), textOf(start), textOf(right)];
  const step = incrementor && textOf(incrementor);
  const header = (text: string): Edit => ({
    start: initializer.getStart(),
    end: incrementor?.end ?? condition.end,
    text,
    kind: 'loop reversed',
    description: `the loop over ${i} runs in the other direction`,
  });
  if (step === `${i}++` && textOf(operator) === '<') yield header(`let ${i} = ${last} - 1; ${i} >= ${first}; ${i}--`);
  if (step === `${i}--` && textOf(operator) === '>=') yield header(`let ${i} = ${last}; ${i} <= ${first}; ${i}++`);
}

const TRANSPOSES = /^(transposed?|swap\w*|t)$/i;
const MULTIPLIES = /mul|dot|prod|^mm|times|einsum/i;

function* callEdits(node: ts.CallExpression, parsed: Parsed): Generator<Edit> {
  const callee = textOf(node.expression);
  if (/^(Array|Math)\b/.test(callee) || ts.isPropertyAccessExpression(node.expression)) {
    yield* methodEdits(node, parsed);
    if (/^(Array|Math)\b/.test(callee)) return;
  }
  const kind = isAllocation(node) ? 'other' : 'arguments exchanged';
  for (const [i, second] of node.arguments.entries()) {
    const first = node.arguments[i - 1] as ts.Expression | undefined;
    if (!first || ts.isFunctionLike(first) || ts.isSpreadElement(first) || ts.isSpreadElement(second)) continue;
    if (!areSameType(parsed, first, second)) continue;
    const [a, b] = [textOf(first), textOf(second)];
    yield {
      start: first.getStart(),
      end: second.end,
      text: `${b}, ${a}`,
      kind,
      description: `the arguments ${a} and ${b} of ${callee} were exchanged`,
    };
  }
  if (TRANSPOSES.test(callee) && node.arguments.length === 1)
    yield replace(node, textOf(node.arguments[0]), 'transposition', `${textOf(node)} was not transposed`);
  const name = /(?<=(?:function|const) )transpose\w*(?=\(| =)/.exec(parsed.file.text)?.[0];
  if (name === undefined || !MULTIPLIES.test(callee)) return;
  for (const argument of node.arguments)
    if (!ts.isFunctionLike(argument) && !isNumber(parsed, argument))
      yield replace(argument, `${name}(${textOf(argument)})`, 'transposition', `${textOf(argument)} was transposed`);
}

/** Slices that begin or end one off, and orders that are not reversed. */
function* methodEdits(node: ts.CallExpression, parsed: Parsed): Generator<Edit> {
  if (!ts.isPropertyAccessExpression(node.expression)) return;
  const { name, expression: of } = node.expression;
  if (name.text === 'slice')
    for (const argument of node.arguments) if (isNumber(parsed, argument)) yield* shifts(argument, 'bound off by one');
  if (/^(reverse|toReversed)$/.test(name.text))
    yield replace(node, textOf(of), 'loop reversed', `${textOf(of)} was not reversed`);
}
