import type { Place } from '../../../errors.ts';
import { showExpression } from '../text/show.ts';
import type { Expression, StatementOf } from '../text/tree.ts';
import type { Conditions } from './classConditions.ts';
import { both, conditionsOf } from './conditions.ts';
import type { Reading } from './reading.ts';
import { type Choice, chainOf, isOfHosts, type Scope, type Setting } from './scopes.ts';

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
 * first branch that fits comes last. A branch whose condition no class can express is reported: its clients are given what the
 * others are.
 */
export function rulesOf(scope: Scope, within: readonly Conditions[], reading: Reading): readonly Rule[] {
  return scope.choices.flatMap((choice) => ofChoice(choice, within, reading));
}

function ofChoice(choice: Choice, within: readonly Conditions[], reading: Reading): readonly Rule[] {
  const { statement, branches } = choice;
  const usable: Usable[] = [];
  for (const { condition, scope } of branches) {
    const met = condition === undefined ? [{}] : conditionsOf(condition, reading);
    const conditions = met && both(within, met);
    const place = condition?.place ?? statement.place;
    const words = condition === undefined ? 'else' : `if ${showExpression(condition)}`;
    if (conditions === undefined) {
      if (isBare(scope)) continue;
      const why =
        'no class can say this condition: those who fit it are given what all others are, so write a class for them';
      reading.tellOf('left', place, words, why);
      reading.leaveOut(scope, 'its branch is left out');
    } else if (conditions.length === 0) reading.leaveOut(scope, 'no client fits the conditions around it', 'server');
    else {
      const settings = new Map(scope.set);
      usable.push({ conditions, settings, statement, place, words, scope, ...(condition ? { condition } : {}) });
    }
  }
  fillGaps(usable, choice, reading);
  const rules: Rule[] = [];
  for (const one of usable) {
    const own: Rule[] = one.settings.size === 0 ? [] : [one];
    rules.unshift(...own, ...rulesOf(one.scope, one.conditions, reading));
  }
  return rules;
}

/** A branch that becomes a class. */
type Usable = Omit<Rule, 'settings'> & { readonly settings: Map<string, Setting> };

/** Whether nothing in a block, however deep, is for clients. */
export function isBare({ set, choices }: Scope): boolean {
  return set.size === 0 && choices.every(({ branches }) => branches.every(({ scope }) => isBare(scope)));
}

/**
 * A class adds to what other classes give: what a branch does not say would come from a later one that its clients fit as well, or
 * from what is given to all others. There it says what would count without the choice; where nothing would, that is reported.
 */
function fillGaps(usable: readonly Usable[], { otherwise, before }: Choice, reading: Reading): void {
  for (const [i, branch] of usable.entries()) {
    const later = new Map(otherwise ?? []);
    for (const other of usable.slice(i + 1)) {
      if (both(branch.conditions, other.conditions)?.length === 0) continue;
      for (const [key, setting] of other.scope.set) later.set(key, setting);
    }
    for (const [key, setting] of later) {
      if (branch.settings.has(key)) continue;
      const usual = before.get(key) ?? sayOutside(branch.scope.parent, key);
      if (usual !== undefined) {
        branch.settings.set(key, usual);
        continue;
      }
      const why = 'given to those too who fit an earlier branch that says nothing of it: write it for them as well';
      reading.tell('changed', setting, why);
    }
  }
}

/** What the scopes around a scope of networks say of something. */
function sayOutside(scope: Scope | undefined, key: string): Setting | undefined {
  if (scope === undefined || scope.kind === 'class' || isOfHosts(scope)) return undefined;
  for (const outer of chainOf(scope).slice(1)) {
    const setting = outer.set.get(key);
    if (setting !== undefined) return setting;
    if (outer.kind === 'class' || isOfHosts(outer)) return undefined;
  }
  return undefined;
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
