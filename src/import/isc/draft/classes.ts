import { formatIpv4 } from '../../../model/ipv4.ts';
import { quoted } from '../../../site/finding.ts';
import type { SiteText } from '../../draft.ts';
import { invalid } from '../../invalid.ts';
import type { Why } from '../../reason.ts';
import { noteCarried } from '../meaning/carried.ts';
import type { Conditions } from '../meaning/classConditions.ts';
import { describe } from '../meaning/comments.ts';
import { both, conditionsOf, either, withFirmwareWords } from '../meaning/conditions.ts';
import { givenBy, namesFile } from '../meaning/given.ts';
import { withoutInner } from '../meaning/inner.ts';
import { lendingOf, saysLease } from '../meaning/lending.ts';
import { Names } from '../meaning/names.ts';
import type { Reading, WrittenPart } from '../meaning/reading.ts';
import { type Rule, rulesOf, takeContested } from '../meaning/rules.ts';
import { isOfHosts, type MachineClass, type Scope, type Setting, settingsIn } from '../meaning/scopes.ts';
import { aroundOf } from '../meaning/spaces.ts';
import type { Expression, OptionName, Statement, StatementOf } from '../text/tree.ts';
import { optionsText } from './optionsText.ts';

export type ClassText = NonNullable<SiteText['classes']>[string];

/** Classes of the site that stand for each class of the configuration, by its name; none if it could not be written. */
export type DraftedClasses = ReadonlyMap<string, readonly string[]>;

/**
 * Writes the classes of a site: later ones have their way over earlier ones. First what a configuration chooses for all
 * clients, then its own classes with their subclasses and choices, then what it chooses for the hosts of a group.
 */
export class Classes {
  readonly drafted = new Map<string, readonly string[]>();
  readonly #names = new Names();
  readonly #reading: Reading;

  constructor(reading: Reading) {
    this.#reading = reading;
    // In pools these words have a meaning of their own.
    for (const word of ['known', 'unknown', 'any']) this.#names.take(word);
  }

  /** Writes what a scope chooses, for the clients that fit `within` as well. */
  choices(scope: Scope, within: Conditions): void {
    const rules = rulesOf(scope, [within], this.#reading);
    const [first] = rules;
    const contested = first !== undefined && isOfHosts(scope) ? takeContested(scope) : new Map<string, Setting>();
    const base: Rule[] = [];
    if (first !== undefined && contested.size > 0) {
      const { statement } = first;
      base.push({
        statement,
        scope,
        conditions: [within],
        settings: contested,
        place: scope.place,
        words: describe(scope),
      });
    }
    for (const rule of [...base, ...rules]) {
      const { conditions, statement, place, words, scope: own, condition } = rule;
      const settings = withoutInner(rule.settings, scope, this.#reading);
      if (settings.size === 0) continue;
      for (const one of conditions) {
        if (Object.keys(one).length === 0) {
          // It holds for all clients of the scope.
          for (const [key, setting] of settings) {
            scope.set.set(key, setting);
            this.#reading.standsWith(statement, setting);
          }
          continue;
        }
        const word = wordFor(one) ?? scope.name ?? `${scope.kind}-${scope.place.line}`;
        const name = this.#write(word, one, settings, own);
        this.#reading.from('classes', name, place, words);
        this.#stands(statement, condition, ['classes', name]);
      }
    }
  }

  /** Notes that a statement and what its condition looks at stand in a class. */
  #stands(statement: Statement, condition: Expression | undefined, at: readonly string[]): void {
    this.#reading.stands(statement, at);
    if (condition === undefined) return;
    for (const option of optionsIn(condition)) {
      for (const definition of this.#reading.options.definitionsOf(option)) this.#reading.stands(definition, at);
    }
  }

  /** Writes the lease time of a group's hosts, or of a host, which nodes cannot say. */
  leaseOf(scope: Scope, macs: readonly string[]): void {
    const settings = new Map([...scope.set].filter(([key]) => key.endsWith('-lease-time')));
    if (!saysLease(settings)) return;
    const name = this.#write(scope.name ?? `${scope.kind}-${scope.place.line}`, { macs }, settings, scope);
    this.#reading.from('classes', name, scope.place, `the lease time of ${describe(scope)}`);
  }

  /** Writes the class of machines that no pool may give anything; its name. */
  refused(macs: readonly string[]): string {
    const name = this.#write('refused', { macs }, new Map(), this.#reading.outline.global);
    this.#reading.draft.comment(['classes', name], 'hosts that say deny booting');
    return name;
  }

  /** Writes the classes that the configuration declares. */
  declared(): void {
    const { outline } = this.#reading;
    const order = inOrder(outline);
    if (order !== outline.classes) this.#reading.draft.comment(['classes'], ORDER);
    for (const one of order) {
      const found = this.#reading.attempt(() => this.#class(one));
      if (found !== undefined) this.drafted.set(one.name, found);
    }
    for (const { statement } of outline.subclasses) {
      if (outline.classes.some(({ name }) => name === statement.of)) continue;
      this.#reading.problems.add(invalid(statement.place, `there is no class ${quoted(statement.of)}`));
    }
  }

  /** Writes one class, as one or more of the site; returns their names. */
  #class({ name, place, scope, matches }: MachineClass): readonly string[] {
    const reading = this.#reading;
    const what = `class ${name}`;
    const subclasses = reading.outline.subclasses.filter(({ statement }) => statement.of === name);
    const by = matches.find(({ condition }) => !condition);
    const condition = matches.find(({ condition }) => condition);
    const leaveOut = (why: Why): readonly string[] => {
      reading.tellOf('left', place, what, why);
      for (const own of [scope, ...subclasses.map((one) => one.scope)]) reading.leaveOut(own, 'its class is left out');
      for (const one of [...matches, ...subclasses.map(({ statement }) => statement)]) {
        reading.because(one, 'its class is left out');
      }
      return [];
    };
    if (by === undefined && condition === undefined) {
      return leaveOut('nothing says who its members are: give it conditions under `classes:`');
    }
    const common = condition === undefined ? [{}] : conditionsOf(condition.expression, reading);
    const listed = by === undefined ? [{}] : this.#listed(by, subclasses);
    const all = common && both(common, listed);
    if (all === undefined) {
      return leaveOut('its condition has no counterpart: give it conditions under `classes:`');
    }
    if (all.length === 0) return leaveOut('it has no members');
    const settings = settingsIn(scope, (around) => around === scope);
    const written = all.map((conditions) => {
      const taken = this.#write(name, conditions, settings, scope);
      reading.from('classes', taken, place, what);
      const at = ['classes', taken];
      reading.standsOf(place, what, at);
      for (const match of matches) this.#stands(match, match.expression, at);
      return taken;
    });
    for (const conditions of all) this.choices(scope, conditions);
    for (const { statement, scope: own } of subclasses) {
      if (by === undefined) continue;
      // Its own settings make a class of their own; without them it is a member of its class.
      if (own.set.size + own.choices.length > 0) this.#subclass(by, statement, own, scope);
      for (const taken of written) reading.stands(statement, ['classes', taken]);
    }
    return written;
  }

  /** A subclass with settings of its own: a class behind its class, so that it counts. */
  #subclass(by: StatementOf<'match'>, statement: StatementOf<'subclass'>, scope: Scope, ofClass: Scope): void {
    const settings = settingsIn(scope, (around) => around === scope);
    for (const conditions of this.#listed(by, [{ statement }])) {
      const name = this.#write(statement.of, conditions, settings, scope, ofClass.set);
      this.#reading.from('classes', name, statement.place, `subclass ${statement.of}`);
      this.#reading.stands(statement, ['classes', name]);
      this.choices(scope, conditions);
    }
  }

  /** The members that subclasses list. */
  #listed(
    { expression }: StatementOf<'match'>,
    subclasses: readonly { readonly statement: StatementOf<'subclass'> }[],
  ): readonly Conditions[] {
    let all: readonly Conditions[] = [];
    for (const { statement } of subclasses) {
      const { data: right, place } = statement;
      const equals: Expression = { kind: 'binary', op: '=', left: expression, right, place };
      const conditions = conditionsOf(equals, this.#reading);
      if (conditions === undefined) {
        this.#reading.tell('left', statement, 'no client of ours fits it: name its members under `classes:`');
      } else all = either(all, conditions);
    }
    return all;
  }

  /** Adds a class; a list of one value is written as the value. Returns its name. */
  #write(
    wanted: string,
    conditions: Conditions,
    settings: ReadonlyMap<string, Setting>,
    scope: Scope,
    ofClass: ReadonlyMap<string, Setting> = new Map(),
  ): string {
    const name = this.#names.take(wanted);
    const values = Object.entries(withFirmwareWords(conditions));
    const around = new Map([...aroundOf(scope, this.#reading), ...ofClass, ...settings]);
    const own = this.#settings(settings, scope, around, conditions);
    const text: ClassText = {
      ...Object.fromEntries(values.map(([key, list]) => [key, list.length === 1 ? list[0] : [...list]])),
      ...own.text,
    };
    const { site } = this.#reading.draft;
    site.classes ??= {};
    site.classes[name] = text;
    this.#reading.standParts(['classes', name], own.parts);
    const booting = settings.get('allow booting');
    if (booting?.kind === 'permit' && booting.verb !== 'allow') this.#reading.refusing.push({ name, from: booting });
    return name;
  }

  /** What a class gives its members. */
  #settings(
    settings: ReadonlyMap<string, Setting>,
    scope: Scope,
    around: ReadonlyMap<string, Setting>,
    conditions: Conditions,
  ): { readonly text: ClassText; readonly parts: readonly WrittenPart[] } {
    const reading = this.#reading;
    const { nextServer, bootFile, options } = givenBy(settings, reading, around);
    const written = optionsText(options, reading);
    const lending = lendingOf(settings, settingsIn(scope));
    const parts: WrittenPart[] = [...written.parts, ...lending.parts];
    const gifts = [...(nextServer ? ['nextServer' as const] : []), ...(bootFile ? ['bootFile' as const] : [])];
    noteCarried(options, conditions, reading);
    reading.gifts.note(conditions.macs, [...options.keys(), ...gifts], bootFile?.file);
    const isSaid = nextServer !== undefined && !reading.isImplied(nextServer.ip, namesFile(around));
    if (nextServer !== undefined) parts.push({ from: nextServer.from, key: isSaid ? ['nextServer'] : [] });
    if (bootFile !== undefined) parts.push({ from: bootFile.from, key: ['bootFile'] });
    const text = {
      ...lending.text,
      ...(isSaid ? { nextServer: formatIpv4(nextServer.ip) } : {}),
      ...(bootFile === undefined ? {} : { bootFile: bootFile.file }),
      ...(written.text === undefined ? {} : { options: written.text }),
    };
    return { text, parts };
  }
}

/** The options that an expression looks at. */
function optionsIn(expression: Expression): readonly OptionName[] {
  switch (expression.kind) {
    case 'option':
      return [expression.option];
    case 'call':
      return expression.arguments.flatMap(optionsIn);
    case 'not':
      return optionsIn(expression.of);
    case 'binary':
      return [...optionsIn(expression.left), ...optionsIn(expression.right)];
    default:
      return [];
  }
}

const ORDER = 'last first: dhcpd lets the first class have its way, a site the last';

/** Of several classes that a client fits, dhcpd lets the first have its way, a site the last. */
function inOrder({ classes, subclasses }: Reading['outline']): readonly MachineClass[] {
  const gives = ({ set, choices }: Scope) => set.size + choices.length > 0;
  const giving = classes.filter(
    ({ name, scope }) => gives(scope) || subclasses.some((one) => one.statement.of === name && gives(one.scope)),
  );
  return giving.length > 1 ? classes.toReversed() : classes;
}

/** A short word for who fits: `ipxe`, `efi-x64`, `arch-11`; `undefined` if none comes to mind. */
function wordFor(conditions: Conditions): string | undefined {
  const { userClass, vendorClass, arch } = withFirmwareWords(conditions);
  const [text] = userClass ?? (arch === undefined ? vendorClass : undefined) ?? [];
  if (typeof text === 'string') {
    const word = text.replaceAll(/[*?]/g, '').toLowerCase();
    return /^[a-z]/.test(word) ? word : word === '' ? undefined : `vendor-${word}`;
  }
  const [first] = arch ?? [];
  return typeof first === 'number' ? `arch-${first}` : first;
}
