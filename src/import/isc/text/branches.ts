import { isSetting, keyOf, type Setting } from './keys.ts';
import type { Branch, Expression, Statement, StatementOf } from './tree.ts';

/** The branches of an `if`, or the cases of a `switch` as such. A case that does not break goes on with the next. */
export function branchesOf(statement: StatementOf<'if' | 'switch'>): readonly Branch[] {
  if (statement.kind === 'if') return statement.branches;
  const { on, cases } = statement;
  return cases.map(({ is }, i) => {
    const body: Statement[] = [];
    for (const next of cases.slice(i)) {
      const end = next.body.findIndex((one) => one.kind === 'action' && one.keyword === 'break');
      body.push(...next.body.slice(0, end === -1 ? undefined : end));
      if (end !== -1) break;
    }
    if (is === undefined) return { body };
    return { condition: { kind: 'binary', op: '=', left: on, right: is, place: is.place }, body };
  });
}

/**
 * The branches without what classes cannot say and need not. A choice in the last branch, with nothing beside it, goes on with its
 * own branches. A condition that is denied is turned round: `if not A { x } else { y }` gives the same as `if A { y } else { x }`.
 * What of `x` those who fit A are given neither by `y` nor by `usual`, which counts without the choice, keeps its condition, since
 * no class takes anything away.
 */
export function simplified(branches: readonly Branch[], usual: ReadonlyMap<string, Setting>): readonly Branch[] {
  const [first, ...rest] = branches;
  if (first === undefined) return [];
  if (first.condition === undefined) {
    const [only, ...more] = first.body;
    const isChoice = (only?.kind === 'if' || only?.kind === 'switch') && more.length === 0;
    return isChoice ? simplified(branchesOf(only), usual) : [first];
  }
  const denied = deniedBy(first.condition);
  return denied === undefined ? [first, ...simplified(rest, usual)] : turned(first, denied, rest, usual);
}

function turned(
  { condition, body }: Branch,
  denied: Expression,
  rest: readonly Branch[],
  usual: ReadonlyMap<string, Setting>,
): readonly Branch[] {
  const covered = coveredBy(rest);
  const isCovered = (statement: Statement): boolean => {
    const key = isSetting(statement) ? keyOf(statement) : undefined;
    return key !== undefined && (covered.has(key) || usual.has(key));
  };
  const [plain, others] = [body.filter(isCovered), body.filter((statement) => !isCovered(statement))];
  const restored = plain.flatMap((statement): Setting[] => {
    const key = isSetting(statement) ? (keyOf(statement) ?? '') : '';
    const setting = usual.get(key);
    return covered.has(key) || setting === undefined ? [] : [setting];
  });
  const [only, ...more] = rest;
  const isElse = only !== undefined && only.condition === undefined && more.length === 0;
  const instead: readonly Statement[] =
    only === undefined ? [] : isElse ? only.body : [{ kind: 'if', branches: rest, place: denied.place }];
  const inner = [...restored, ...instead];
  return [
    ...(inner.length === 0 ? [] : [{ condition: denied, body: inner }]),
    ...(others.length === 0 || condition === undefined ? [] : [{ condition, body: others }]),
    ...(plain.length === 0 ? [] : [{ body: plain }]),
  ];
}

/** What has to hold where this expression does not; `undefined` if it denies nothing. */
function deniedBy(expression: Expression): Expression | undefined {
  if (expression.kind === 'not') return expression.of;
  return expression.kind === 'binary' && expression.op === '!=' ? { ...expression, op: '=' } : undefined;
}

/** What branches set whichever of them holds: one of them always does if the last has no condition. */
function coveredBy(branches: readonly Branch[]): ReadonlySet<string> {
  if (branches.at(-1)?.condition !== undefined) return new Set();
  const [first = new Set<string>(), ...more] = branches.map(
    ({ body }) => new Set(body.flatMap((statement) => (isSetting(statement) ? (keyOf(statement) ?? []) : []))),
  );
  return new Set([...first].filter((key) => more.every((other) => other.has(key))));
}
