import { resolve } from 'node:path';
import type { Var } from '../model/node.ts';
import type { SecretSource } from '../model/secret.ts';
import { type Findings, quoted, suggestion } from './finding.ts';
import { SECRET_NAME_PATTERN } from './forms.ts';
import type { SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/**
 * A variable's reference to a secret: `{{ secrets.rabbit }}`, alone or within a longer text, perhaps with a filter for its
 * encoding.
 */
const REFERENCE = /\{\{-?\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*(?:\|\s*([A-Za-z_]\w*)\s*)?-?\}\}/g;
const ANY_REFERENCE = /\{\{-?\s*secrets\b[^}]*\}?\}?/g;

/** The filters that a reference may use. */
export const REFERENCE_WAYS = ['oslo', 'quote', 'raw', 'urlencode'] as const;
export type ReferenceWay = (typeof REFERENCE_WAYS)[number];

/** A reference to a secret in a text, with the text around it. */
export type Reference = {
  readonly name: string;
  readonly way?: ReferenceWay;
  /** The text before it, with earlier references filled in, and the text after it, with later ones not. */
  readonly before: string;
  readonly after: string;
};

/** The names of the secrets that a text refers to. */
export function secretNames(text: string): readonly string[] {
  return [...text.matchAll(REFERENCE)].map(([, name = '']) => name);
}

/** The text with each reference replaced by what `valueAt` gives for it. */
export function fillSecrets(text: string, valueAt: (reference: Reference) => string): string {
  let filled = '';
  let at = 0;
  for (const { index, 0: whole, 1: name = '', 2: way } of text.matchAll(REFERENCE)) {
    filled += text.slice(at, index);
    at = index + whole.length;
    const after = text.slice(at);
    filled += valueAt({ name, ...(isWay(way) ? { way } : {}), before: filled, after });
  }
  return filled + text.slice(at);
}

function isWay(way: string | undefined): way is ReferenceWay {
  return (REFERENCE_WAYS as readonly (string | undefined)[]).includes(way);
}

/** Calls `see` with every text among the variables, and its path. */
export function eachText(value: Var, see: (text: string, path: Path) => void, path: Path = []): void {
  if (typeof value === 'string') see(value, path);
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) eachText(item, see, [...path, i]);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) eachText(item, see, [...path, key]);
  }
}

/** The faults of references to secrets among the variables at `at` of `document`. */
export function checkSecretNames(
  vars: Var,
  document: Declared<unknown>,
  at: Path,
  known: readonly string[],
  findings: Findings,
): void {
  eachText(vars, (text, path) => {
    for (const [one] of text.matchAll(ANY_REFERENCE)) {
      const [, , way] = [...one.matchAll(REFERENCE)][0] ?? [];
      const place = document.place([...at, ...path]);
      if (secretNames(one).length === 0) {
        findings.error(place, `${quoted(one)} names no secret`, "such as '{{ secrets.rabbit }}'");
      } else if (way !== undefined && !isWay(way)) {
        const hint = suggestion(way, REFERENCE_WAYS, 'ways');
        findings.error(place, `a secret cannot be written in the way ${quoted(way)}`, hint);
      }
    }
    for (const name of secretNames(text)) {
      if (known.includes(name)) continue;
      const hint =
        suggestion(name, known, 'secrets') ?? `say where it is kept: secrets: { ${name}: { file: secrets/${name} } }`;
      findings.error(document.place([...at, ...path]), `there is no secret "${name}"`, hint);
    }
  });
}

/** The secrets that the site declares, each with exactly one source. */
export function resolveSecrets(
  site: Declared<SiteDeclaration>,
  root: string,
  findings: Findings,
): ReadonlyMap<string, SecretSource> {
  const secrets = new Map<string, SecretSource>();
  for (const [name, { file, env, command, multiline }] of Object.entries(site.value.secrets)) {
    const place = site.keyPlace(['secrets', name]);
    if (!SECRET_NAME_PATTERN.test(name)) {
      findings.error(place, `"${name}" cannot name a secret`, 'use letters, digits and "_"');
    }
    const shared = { place, ...(multiline === true ? { multiline } : {}) };
    const ways: SecretSource[] = [
      ...(file === undefined ? [] : [{ kind: 'file', path: resolve(root, file), ...shared } as const]),
      ...(env === undefined ? [] : [{ kind: 'env', name: env, ...shared } as const]),
      ...(command === undefined ? [] : [{ kind: 'command', line: command, ...shared } as const]),
    ];
    const [only, another] = ways;
    if (only && !another) secrets.set(name, only);
    else findings.error(place, `secret "${name}" needs exactly one of file, env and command`);
  }
  return secrets;
}
