import type { Place } from '../../errors.ts';
import { both, type Conditions, conditionsOf } from './conditions.ts';
import type { Reading } from './reading.ts';
import { type Choice, type Scope, type Setting, settingsIn } from './scopes.ts';
import { showExpression } from './show.ts';
import type { Expression, StatementOf } from './tree.ts';

/** What a choice gives to those who fit one of its conditions. */
export type Rule = {
  readonly conditions: readonly Conditions[];
  readonly settings: ReadonlyMap<string, Setting>;
  readonly statement: StatementOf<'if' | 'switch'>;
  /** The block that says so, and its condition. */
  readonly scope: Scope;
  readonly condition?: Expression;
  /** Where its condition stands, and the condition in words. */
  readonly place: Place;
  readonly words: string;
};

/**
 * What the choices of a scope give, within these conditions: later rules have their way over earlier ones, so that the
 * first branch that fits comes last. A branch whose condition no class can say is told of: its clients are given what the
 * others are.
 */
export function rulesOf(scope: Scope, within: readonly Conditions[], reading: Reading): readonly Rule[] {
  return scope.choices.flatMap((choice) => ofChoice(choice, within, reading));
}

function ofChoice(
  { statement, branches, otherwise }: Choice,
  within: readonly Conditions[],
  reading: Reading,
): readonly Rule[] {
  const rules: Rule[] = [];
  const without = new Set<Scope>();
  for (const { condition, scope } of branches) {
    if (isBare(scope)) continue;
    const met = condition === undefined ? [{}] : conditionsOf(condition, reading);
    const conditions = met && both(within, met);
    const place = condition?.place ?? statement.place;
    const words = condition === undefined ? 'else' : `if ${showExpression(condition)}`;
    if (conditions === undefined) {
      const why =
        'no class can say this condition: those who fit it are given what all others are, so write a class for them';
      reading.tellOf('left', place, words, why);
      reading.leaveOut(scope, 'its branch is left out');
      without.add(scope);
      continue;
    }
    if (conditions.length === 0) {
      reading.leaveOut(scope, 'nobody fits the conditions around it', 'server');
      without.add(scope);
      continue;
    }
    const settings = settingsIn(scope, (around) => around === scope);
    const own: Rule[] =
      settings.size === 0
        ? []
        : [{ conditions, settings, statement, place, words, scope, ...(condition === undefined ? {} : { condition }) }];
    rules.unshift(...own, ...rulesOf(scope, conditions, reading));
  }
  tellOfGaps(
    branches.filter(({ scope }) => !without.has(scope)),
    otherwise,
    reading,
  );
  return rules;
}

/** Whether nothing in a block, however deep, is for clients. */
export function isBare({ set, choices }: Scope): boolean {
  return set.size === 0 && choices.every(({ branches }) => branches.every(({ scope }) => isBare(scope)));
}

/** A class adds to what other classes give; what an earlier branch does not set would come from a later one. */
function tellOfGaps(branches: Choice['branches'], otherwise: Choice['otherwise'], reading: Reading): void {
  const later = new Map<string, Setting>(otherwise ?? []);
  for (const { scope } of branches.toReversed()) {
    for (const [key, setting] of later) {
      if (scope.set.has(key) || scope.choices.length > 0) continue;
      const why = 'given to those too who fit an earlier branch that says nothing of it: write it for them as well';
      reading.tell('changed', setting, why);
    }
    for (const [key, setting] of scope.set) later.set(key, setting);
  }
}

/**
 * Takes out of a scope what its choices give as well, however deep: that is a rule like theirs, the first of them, so that
 * it does not have its way over them.
 */
export function takeContested(scope: Scope): ReadonlyMap<string, Setting> {
  const contested = new Map<string, Setting>();
  const visit = ({ branches }: Choice): void => {
    for (const { scope: branch } of branches) {
      for (const key of branch.set.keys()) {
        const setting = scope.set.get(key);
        if (setting !== undefined) contested.set(key, setting);
      }
      branch.choices.forEach(visit);
    }
  };
  scope.choices.forEach(visit);
  for (const key of contested.keys()) scope.set.delete(key);
  return contested;
}
