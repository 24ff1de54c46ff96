import { stringify } from 'yaml';
import { ReveilleError } from '../errors.ts';
import type { OverlayOrigin, Var, Vars } from '../model/node.ts';
import { type Findings, quoted } from '../site/finding.ts';
import { mergeVars } from '../site/merge.ts';
import type { YamlFile } from '../site/yaml.ts';

/** A variable that an overlay's templates read, by its dotted name (`chrony.servers`). */
export type OverlayVar = {
  readonly about: string;
  /** What templates see where the site says nothing. */
  readonly default?: Var;
  /** Where the site must say something. */
  readonly needed: boolean;
  readonly example?: Var;
  /** What it may be; of a list, what each of its items may be. */
  readonly choices?: readonly Var[];
};

/** By dotted name. */
export type OverlayVars = ReadonlyMap<string, OverlayVar>;

const KEYS: readonly string[] = ['about', 'default', 'needed', 'example', 'choices'];

/** Reads the key `vars` of an `overlay.yaml`. What is wrong goes into `findings` and is left out. */
export function readOverlayVars(yaml: YamlFile, findings: Findings): OverlayVars {
  const vars = new Map<string, OverlayVar>();
  const value = isMap(yaml.value) ? yaml.value.vars : undefined;
  if (value === undefined) return vars;
  if (!isMap(value)) {
    findings.error(yaml.place(['vars']), 'vars is a map from dotted names to { about, default, needed, example }');
    return vars;
  }
  for (const [name, said] of Object.entries(value)) {
    const place = yaml.keyPlace(['vars', name]);
    if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(name)) findings.error(place, `${quoted(name)} cannot name a variable`);
    else if (!isMap(said) || typeof said.about !== 'string') {
      findings.error(place, 'what belongs here is { about: ..., default: ... } or { about: ..., needed: true }');
    } else {
      for (const key of Object.keys(said)) {
        if (KEYS.includes(key)) continue;
        findings.error(
          yaml.keyPlace(['vars', name, key]),
          `unknown key ${quoted(key)}`,
          `known keys: ${KEYS.join(', ')}`,
        );
      }
      vars.set(name, {
        about: said.about,
        needed: said.needed === true,
        ...(said.default === undefined ? {} : { default: said.default as Var }),
        ...(said.example === undefined ? {} : { example: said.example as Var }),
        ...(Array.isArray(said.choices) ? { choices: said.choices as Var[] } : {}),
      });
    }
  }
  return vars;
}

/**
 * What the templates of an overlay see as `vars`: the node's, over the overlay's defaults. Throws SITE_INVALID where the
 * site lacks what is needed or says it in another form; `origin` is who gave the node the overlay.
 */
export function overlayVars(overlay: string, known: OverlayVars, vars: Vars, origin: OverlayOrigin | undefined): Vars {
  let defaults: Vars = {};
  for (const [name, { needed, default: fallback, example, about, choices }] of known) {
    const value = valueAt(vars, name);
    const model = fallback ?? example;
    const wrong = (message: string) =>
      new ReveilleError('SITE_INVALID', `overlay ${overlay}: ${message}`, {
        hint: `${about}: write it under vars: of ${origin?.by ?? 'a profile'}, such as ${inFlow(name, model)}`,
        ...(origin === undefined ? {} : { place: origin.place }),
      });
    if (value === undefined || value === null) {
      if (needed) throw wrong(`vars.${name} is missing`);
      if (fallback !== undefined) defaults = mergeVars(defaults, nested(name, fallback));
    } else if (model !== undefined && model !== null && kindOf(value) !== kindOf(model)) {
      throw wrong(`vars.${name} is ${kindOf(value)}, expected ${kindOf(model)}`);
    } else {
      const odd = choices && [value].flat().find((one) => !choices.includes(one));
      if (odd !== undefined) throw wrong(`vars.${name} is ${JSON.stringify(odd)}, expected ${choices?.join(', ')}`);
    }
  }
  return mergeVars(defaults, vars);
}

/** What a profile may write: all that is needed, else the first variable with something to show; nothing if there is none. */
export function exampleVars(known: OverlayVars): Vars {
  const shown = [...known].filter(([, { example, default: fallback }]) => (example ?? fallback) !== undefined);
  const needed = shown.filter(([, said]) => said.needed);
  const chosen = needed.length > 0 ? needed : shown.slice(0, 1);
  return chosen.reduce<Vars>(
    (vars, [name, said]) => mergeVars(vars, nested(name, said.example ?? said.default ?? null)),
    {},
  );
}

/** What it is for, and what it may be. */
export function aboutText({ about, choices }: OverlayVar): string {
  return choices === undefined ? about : `${about} (${choices.join(', ')})`;
}

/** `vars: { chrony: { servers: [ 10.0.0.10 ] } }`. */
function inFlow(name: string, value: Var | undefined): string {
  return `vars: ${stringify(nested(name, value ?? '...'), { collectionStyle: 'flow', lineWidth: 0 }).trimEnd()}`;
}

function nested(name: string, value: Var): Vars {
  const [last = '', ...outer] = name.split('.').reverse();
  return outer.reduce<Vars>((held, key) => ({ [key]: held }), { [last]: value });
}

function valueAt(vars: Vars, name: string): Var | undefined {
  let at: unknown = vars;
  for (const key of name.split('.')) at = isMap(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  return at as Var | undefined;
}

function kindOf(value: Var): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return { string: 'a text', number: 'a number', boolean: 'true or false' }[typeof value as 'string'];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
