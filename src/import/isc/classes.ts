import { formatIpv4 } from '../../net/ipv4.ts';
import type { SiteText } from '../draft.ts';
import { whereFrom } from './comments.ts';
import { both, type Conditions, conditionsOf, either } from './conditions.ts';
import { type Given, givenBy } from './given.ts';
import { Names } from './names.ts';
import { leaseOf, optionsText } from './networks.ts';
import type { Reading } from './reading.ts';
import { type MachineClass, type Scope, settingsIn } from './scopes.ts';
import type { Expression, StatementOf } from './tree.ts';

export type ClassText = NonNullable<SiteText['classes']>[string];

/** The classes of the site that stand for each class of the configuration, by its name in lower case; none if it is lost. */
export type DraftedClasses = ReadonlyMap<string, readonly string[]>;

/** Writes the classes: their members by what they say, those of subclasses by what these list. */
export function draftClasses(reading: Reading): DraftedClasses {
  const drafted = new Map<string, readonly string[]>();
  const names = new Names();
  // In pools these words have a meaning of their own.
  for (const word of ['known', 'unknown', 'any']) names.take(word);
  for (const one of reading.outline.classes) {
    const found = reading.attempt(() => draftClass(one, names, reading));
    if (found !== undefined) drafted.set(one.name.toLowerCase(), found);
  }
  for (const { statement } of reading.outline.subclasses) {
    if (drafted.has(statement.of.toLowerCase())) continue;
    if (reading.outline.classes.some(({ name }) => name.toLowerCase() === statement.of.toLowerCase())) continue;
    reading.tell('left', statement, `there is no class "${statement.of}"`);
  }
  return drafted;
}

/** Writes one class, as one or more of the site; returns their names. */
function draftClass(one: MachineClass, names: Names, reading: Reading): readonly string[] {
  const { place, scope } = one;
  const what = `class ${one.name}`;
  const subclasses = reading.outline.subclasses.filter(
    ({ statement }) => statement.of.toLowerCase() === one.name.toLowerCase(),
  );
  const by = one.matches.find(({ condition }) => !condition);
  const condition = one.matches.find(({ condition }) => condition);
  if (by === undefined && condition === undefined) {
    reading.tellOf('left', place, what, 'nothing says who its members are: give it conditions under `classes:`');
    return [];
  }
  const common = condition === undefined ? [{}] : conditionsOf(condition.expression, reading);
  const listed = by === undefined ? [{}] : membersListed(by, subclasses, reading);
  const all = common && both(common, listed);
  if (all === undefined) {
    const why = 'its condition has no counterpart: give it conditions under `classes:`';
    reading.tellOf('left', place, what, why);
    return [];
  }
  if (all.length === 0) {
    reading.tellOf('left', place, what, 'it has no members');
    return [];
  }
  const settings = classSettings(scope, reading);
  const written = all.map((conditions) => {
    const name = names.take(one.name);
    write(name, conditions, settings, reading);
    reading.draft.comment(['classes', name], whereFrom(place, what));
    return name;
  });
  reading.tellOf('taken', place, what, `class ${written.join(', ')}`);
  for (const { statement, scope: own } of subclasses) {
    if (by === undefined || own.set.size === 0) continue;
    const conditions = membersListed(by, [{ statement, scope: own }], reading);
    for (const each of conditions) {
      const name = names.take(one.name);
      write(name, each, classSettings(own, reading), reading);
      reading.draft.comment(['classes', name], whereFrom(statement.place, `subclass ${one.name}`));
      reading.tell('taken', statement, `class ${name}`);
    }
  }
  return written;
}

/** Adds a class; a list of one value is written as the value. */
function write(name: string, conditions: Conditions, settings: ClassText, { draft }: Reading): void {
  const values = Object.entries(conditions).map(([key, list]) => [key, list.length === 1 ? list[0] : [...list]]);
  draft.site.classes = { ...draft.site.classes, [name]: { ...Object.fromEntries(values), ...settings } };
}

/** The members that subclasses list: each list that one kind of condition can hold. */
function membersListed(
  { expression }: StatementOf<'match'>,
  subclasses: readonly { readonly statement: StatementOf<'subclass'>; readonly scope: Scope }[],
  reading: Reading,
): readonly Conditions[] {
  let merged: readonly Conditions[] = [];
  for (const { statement } of subclasses) {
    const equals: Expression = {
      kind: 'binary',
      op: '=',
      left: expression,
      right: statement.data,
      place: statement.place,
    };
    const conditions = conditionsOf(equals, reading);
    if (conditions === undefined) reading.tell('left', statement, 'who it means cannot be written as a condition');
    else merged = either(merged, conditions);
  }
  return merged;
}

/** What a class gives its members. */
export function classSettings(scope: Scope, reading: Reading): ClassText {
  const settings = settingsIn(scope, (around) => around === scope);
  return givenText(
    givenBy(settings, reading),
    settings.has('default-lease-time') || settings.has('max-lease-time')
      ? leaseOf(settingsIn(scope), reading)
      : undefined,
    reading,
  );
}

export function givenText(given: Given, lease: string | number | undefined, reading: Reading): ClassText {
  const options = optionsText(given.options, reading);
  return {
    ...(lease === undefined ? {} : { lease }),
    ...(given.nextServer === undefined ? {} : { nextServer: formatIpv4(given.nextServer) }),
    ...(given.bootFile === undefined ? {} : { bootFile: given.bootFile }),
    ...(options === undefined ? {} : { options }),
  };
}
