import { stringify } from 'yaml';
import { ReveilleError } from '../errors.ts';
import type { OverlayOrigin, Var, Vars } from '../model/node.ts';
import { type Findings, quoted } from '../site/finding.ts';
import { mergeVars } from '../site/merge.ts';
import type { YamlFile } from '../site/yaml.ts';

/** A variable that an overlay's templates read, by its dotted name (`chrony.servers`). */
export type OverlayVar = {
  readonly about: string;
  /** What templates see if the site sets nothing. */
  readonly default?: Var;
  /** Whether the site must set it. */
  readonly needed: boolean;
  readonly example?: Var;
  /** The allowed values; of a list, those of each item. */
  readonly choices?: readonly Var[];
};

/** By dotted name. */
export type OverlayVars = ReadonlyMap<string, OverlayVar>;

const KEYS: readonly string[] = ['about', 'default', 'needed', 'example', 'choices'];

/** Reads the key `vars` of an `overlay.yaml`. Faults go into `findings` and are left out. */
export function readOverlayVars(yaml: YamlFile, findings: Findings): OverlayVars {
  const vars = new Map<string, OverlayVar>();
  const value = isMap(yaml.value) ? yaml.value.vars : undefined;
  if (value === undefined) return vars;
  if (!isMap(value)) {
    findings.error(yaml.place(['vars']), 'vars is a map from dotted names to { about, default, needed, example }');
    return vars;
  }
  for (const [name, declared] of Object.entries(value)) {
    const place = yaml.keyPlace(['vars', name]);
    if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(name)) findings.error(place, `${quoted(name)} cannot name a variable`);
    else if (!isMap(declared) || typeof declared.about !== 'string') {
      findings.error(place, 'expected { about: ..., default: ... } or { about: ..., needed: true }');
    } else {
      for (const key of Object.keys(declared)) {
        if (KEYS.includes(key)) continue;
        findings.error(
          yaml.keyPlace(['vars', name, key]),
          `unknown key ${quoted(key)}`,
          `known keys: ${KEYS.join(', ')}`,
        );
      }
      vars.set(name, {
        about: declared.about,
        needed: declared.needed === true,
        ...(declared.default === undefined ? {} : { default: declared.default as Var }),
        ...(declared.example === undefined ? {} : { example: declared.example as Var }),
        ...(Array.isArray(declared.choices) ? { choices: declared.choices as Var[] } : {}),
      });
    }
  }
  return vars;
}

/**
 * The `vars` that an overlay's templates see: the node's, over the overlay's defaults. Throws SITE_INVALID if the site lacks a
 * required one or sets it in another form; `origin` is what gave the node the overlay.
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

/** An example for a profile: all required variables, else the first one with an example; nothing if there is none. */
export function exampleVars(known: OverlayVars): Vars {
  const shown = [...known].filter(([, { example, default: fallback }]) => (example ?? fallback) !== undefined);
  const needed = shown.filter(([, declared]) => declared.needed);
  const chosen = needed.length > 0 ? needed : shown.slice(0, 1);
  return chosen.reduce<Vars>(
    (vars, [name, declared]) => mergeVars(vars, nested(name, declared.example ?? declared.default ?? null)),
    {},
  );
}

/** Its purpose and its allowed values. */
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
