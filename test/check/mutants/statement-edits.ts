/** Slips in assignments, conditions and whole statements. */
import ts from 'typescript';
import type { Edit, Kind } from './definition.js';
import { replace } from './edit.js';
import { headerOf, isNumber, textOf } from './syntax.js';
import type { Parsed } from './sources.js';

export function* statementEdits(node: ts.Node, parsed: Parsed): Generator<Edit> {
  if (headerOf(node)) return;
  if (ts.isBinaryExpression(node)) {
    yield* assignmentEdits(node, parsed);
    yield* comparisonEdits(node);
  }
  if (ts.isIfStatement(node)) yield* guardEdits(node);
  if (ts.isConditionalExpression(node)) yield* branchEdits(node);
  if (ts.isExpressionStatement(node) && isEffect(node.expression))
    yield replace(node, ';', 'statement left out', `${textOf(node)} was left out`);
  if (ts.isVariableDeclaration(node) && node.initializer && isFormula(node.initializer, parsed))
    yield negated(node.initializer);
  if (ts.isReturnStatement(node) && node.expression && isFormula(node.expression, parsed))
    yield negated(node.expression);
}

/** Numbers that are computed, rather than counted or copied. */
function isFormula(node: ts.Expression, parsed: Parsed): boolean {
  return isNumber(parsed, node) && (ts.isBinaryExpression(node) || ts.isCallExpression(node));
}

const negated = (node: ts.Expression) =>
  replace(node, `-(${textOf(node)})`, 'sign', `the sign of ${textOf(node)} was changed`);

function isEffect(node: ts.Expression): boolean {
  if (ts.isCallExpression(node)) return true;
  return (
    ts.isBinaryExpression(node) &&
    node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
    node.operatorToken.kind <= ts.SyntaxKind.LastAssignment
  );
}

function* assignmentEdits(node: ts.BinaryExpression, parsed: Parsed): Generator<Edit> {
  const { left, right, operatorToken: operator } = node;
  const write = (text: string, kind: Kind) =>
    replace(operator, text, kind, `${text} instead of ${textOf(operator)} for ${textOf(left)}`);
  switch (operator.kind) {
    case ts.SyntaxKind.EqualsToken:
      if (!isNumber(parsed, left)) return;
      yield write('+=', 'assigned or accumulated');
      if (isFormula(right, parsed)) yield negated(right);
      return;
    case ts.SyntaxKind.PlusEqualsToken:
      yield write('=', 'assigned or accumulated');
      yield write('-=', 'sign');
      return;
    case ts.SyntaxKind.MinusEqualsToken:
      yield write('=', 'assigned or accumulated');
      yield write('+=', 'sign');
      return;
    case ts.SyntaxKind.AsteriskEqualsToken:
      yield write('/=', 'operator');
      return;
    case ts.SyntaxKind.SlashEqualsToken:
      yield write('*=', 'operator');
      return;
    default:
  }
}

/** Operators that are written for others in comparisons. */
const COMPARISONS: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>'],
  '<=': ['<'],
  '>': ['>=', '<'],
  '>=': ['>'],
  '===': ['!=='],
  '!==': ['==='],
  '&&': ['||'],
  '||': ['&&'],
};

function* comparisonEdits({ left, right, operatorToken: operator }: ts.BinaryExpression): Generator<Edit> {
  // Whether a tensor was given, or which option, is no formula.
  const isOfOption = /undefined|['"]|\.length\b/.test(textOf(left) + textOf(right));
  for (const other of COMPARISONS[textOf(operator)] ?? [])
    yield replace(operator, other, isOfOption ? 'other' : 'condition', `${other} instead of ${textOf(operator)}`);
}

function* guardEdits(node: ts.IfStatement): Generator<Edit> {
  const condition = textOf(node.expression);
  const isOfOption = /undefined|['"]|training|given\.|^\w+$/.test(condition);
  const kind = isOfOption ? 'other' : 'condition';
  yield replace(node.expression, `!(${condition})`, kind, `the condition ${condition} was negated`);
  if (!node.elseStatement) {
    const leaves = ts.isContinueStatement(node.thenStatement) || ts.isReturnStatement(node.thenStatement);
    yield replace(node.expression, leaves ? 'false' : 'true', kind, `the condition ${condition} was left out`);
  }
}

function* branchEdits(node: ts.ConditionalExpression): Generator<Edit> {
  const { condition, whenTrue, whenFalse } = node;
  const text = `${textOf(condition)} ? ${textOf(whenFalse)} : ${textOf(whenTrue)}`;
  // `bias ? bias[o] : 0` exchanged reads what was not given.
  const isOfOption = /undefined|['"]|\.length\b|^[\w.]+$/.test(textOf(condition));
  const kind = isOfOption && !/training|isMax|max/i.test(textOf(condition)) ? 'other' : 'branches exchanged';
  yield replace(node, text, kind, `the branches of ${textOf(condition)} were exchanged`);
  for (const branch of [whenTrue, whenFalse])
    yield replace(node, textOf(branch), isOfOption ? 'other' : 'condition', `always ${textOf(branch)}`);
}

/** Everything that is no slip in a formula: words, flags, and what a slip elsewhere does not reach. */
export function* otherEdits(node: ts.Node): Generator<Edit> {
  if (node.kind === ts.SyntaxKind.TrueKeyword) yield replace(node, 'false', 'other', 'false instead of true');
  if (node.kind === ts.SyntaxKind.FalseKeyword) yield replace(node, 'true', 'other', 'true instead of false');
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken)
    yield replace(node, textOf(node.right), 'other', `${textOf(node.left)} was ignored`);
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken)
    yield replace(node, textOf(node.operand), 'other', `${textOf(node)} was not negated`);
}
