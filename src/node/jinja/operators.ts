import type { BinaryOperator, CompareOperator } from './ast.ts';
import type { Budget } from './budget.ts';
import { isSame, scalar, textOf } from './values.ts';

type Operator = (left: unknown, right: unknown, budget: Budget) => unknown;

/** What stands between two values. Nothing but texts, numbers and truth is calculated with; lists are their text. */
export const OPERATORS: Readonly<Record<BinaryOperator, Operator>> = {
  '~': (left, right, budget) => joinedText(textOf(left, budget), textOf(right, budget), budget),
  '+': (left, right, budget) => {
    const [a, b] = [scalar(left, budget), scalar(right, budget)];
    if (typeof a === 'string' || typeof b === 'string') return joinedText(String(a), String(b), budget);
    budget.spend(1);
    return Number(a) + Number(b);
  },
  '-': ofNumbers((a, b) => a - b),
  '*': ofNumbers((a, b) => a * b),
  '/': ofNumbers((a, b) => a / b),
  '//': ofNumbers((a, b) => Math.floor(a / b)),
  '%': ofNumbers((a, b) => a % b),
  '**': ofNumbers((a, b) => a ** b),
};

function ofNumbers(of: (a: number, b: number) => number): Operator {
  return (left, right, budget) => {
    budget.spend(1);
    return of(Number(scalar(left, budget)), Number(scalar(right, budget)));
  };
}

function joinedText(a: string, b: string, budget: Budget): string {
  budget.text(a.length + b.length);
  return a + b;
}

/** Whether a comparison is true. */
export function holds(operator: CompareOperator, left: unknown, right: unknown, budget: Budget): boolean {
  switch (operator) {
    case '===':
      return isSame(left, right, budget);
    case '!==':
      return !isSame(left, right, budget);
    case '==':
      return isEqual(left, right, budget);
    case '!=':
      return !isEqual(left, right, budget);
    default: {
      const [a, b] = [scalar(left, budget), scalar(right, budget)];
      if (typeof a === 'string' && typeof b === 'string') return ordered(operator, a, b);
      return ordered(operator, a === undefined ? Number.NaN : Number(a), b === undefined ? Number.NaN : Number(b));
    }
  }
}

function ordered<T extends string | number>(operator: '<' | '>' | '<=' | '>=', a: T, b: T): boolean {
  if (operator === '<') return a < b;
  if (operator === '>') return a > b;
  return operator === '<=' ? a <= b : a >= b;
}

/** As templates have always compared: a number is equal to its text, and nothing to nothing. */
function isEqual(left: unknown, right: unknown, budget: Budget): boolean {
  if (isSame(left, right, budget)) return true;
  if (left === undefined || left === null || right === undefined || right === null) {
    return (left ?? null) === (right ?? null);
  }
  if (typeof left === 'object' && typeof right === 'object') return false;
  const [a, b] = [scalar(left, budget), scalar(right, budget)];
  return typeof a === typeof b ? a === b : Number(a) === Number(b);
}
