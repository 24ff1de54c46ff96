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
 * Branches of which the first denies its condition, the other way round: `if not A { x } else { y }` gives the same as
 * `if A { y } else { x }`, which classes can say. Only where those who fit A are given all that `x` gives by the other
 * branches, or by `around`, so that no class has to take something away.
 */
export function withoutNegation(branches: readonly Branch[], around: ReadonlyMap<string, Setting>): readonly Branch[] {
  const [first, ...rest] = branches;
  const denied = first?.condition === undefined ? undefined : deniedBy(first.condition);
  if (first === undefined || denied === undefined) return branches;
  const keys = keysOf(first.body);
  if (keys === undefined) return branches;
  const covered = coveredBy(rest);
  const open = keys.filter((key) => !covered.has(key));
  const usual = open.flatMap((key) => around.get(key) ?? []);
  if (usual.length < open.length) return branches;
  const [only, ...more] = rest;
  const isElse = only !== undefined && only.condition === undefined && more.length === 0;
  const instead: readonly Statement[] =
    rest.length === 0 ? [] : isElse ? only.body : [{ kind: 'if', branches: rest, place: denied.place }];
  return [{ condition: denied, body: [...usual, ...instead] }, { body: first.body }];
}

/** What has to hold where this expression does not; `undefined` if it denies nothing. */
function deniedBy(expression: Expression): Expression | undefined {
  if (expression.kind === 'not') return expression.of;
  return expression.kind === 'binary' && expression.op === '!=' ? { ...expression, op: '=' } : undefined;
}

/** What a body of plain settings sets; `undefined` of one in which something else stands. */
function keysOf(body: readonly Statement[]): readonly string[] | undefined {
  const keys: string[] = [];
  for (const statement of body) {
    const key = isSetting(statement) ? keyOf(statement) : undefined;
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return keys;
}

/** What branches set whichever of them holds: one of them always does if the last has no condition. */
function coveredBy(branches: readonly Branch[]): ReadonlySet<string> {
  if (branches.at(-1)?.condition !== undefined) return new Set();
  const [first = new Set<string>(), ...more] = branches.map(
    ({ body }) => new Set(body.flatMap((statement) => (isSetting(statement) ? (keyOf(statement) ?? []) : []))),
  );
  return new Set([...first].filter((key) => more.every((other) => other.has(key))));
}
