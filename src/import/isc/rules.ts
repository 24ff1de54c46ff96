import type { Place } from '../../errors.ts';
import { both, type Conditions, conditionsOf } from './conditions.ts';
import type { Reading } from './reading.ts';
import { type Choice, type Scope, type Setting, settingsIn } from './scopes.ts';
import { showExpression } from './show.ts';
import type { StatementOf } from './tree.ts';

/** What a choice gives to those who fit one of its conditions. */
export type Rule = {
  readonly conditions: readonly Conditions[];
  readonly settings: ReadonlyMap<string, Setting>;
  readonly statement: StatementOf<'if' | 'switch'>;
  /** Where its condition stands, and the condition in words. */
  readonly place: Place;
  readonly words: string;
};

/**
 * What the choices of a scope give, within these conditions: later rules have their way over earlier ones, so that the
 * first branch that fits comes last. Branches whose condition no class can say are told, with all that follow them.
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
  for (const { condition, scope } of branches) {
    const met = condition === undefined ? [{}] : conditionsOf(condition, reading);
    const conditions = met && both(within, met);
    if (conditions === undefined) {
      const at = condition?.place ?? statement.place;
      const why = 'no class can say this condition: write classes for what it and the branches after it choose';
      reading.tellOf('left', at, 'a branch of a choice', why);
      break;
    }
    if (conditions.length === 0) continue;
    const settings = settingsIn(scope, (around) => around === scope);
    const place = condition?.place ?? statement.place;
    const words = condition === undefined ? 'else' : `if ${showExpression(condition)}`;
    const own: Rule[] = settings.size === 0 ? [] : [{ conditions, settings, statement, place, words }];
    rules.unshift(...own, ...rulesOf(scope, conditions, reading));
  }
  tellOfGaps(branches, otherwise, reading);
  return rules;
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
