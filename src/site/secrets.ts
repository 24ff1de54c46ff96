import { resolve } from 'node:path';
import { type Findings, suggestion } from './finding.ts';
import { SECRET_NAME_PATTERN } from './forms.ts';
import type { SecretSource, Var } from './model.ts';
import type { SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** How a variable names a secret: `{{ secrets.rabbit }}`, alone or within a longer text. */
const REFERENCE = /\{\{\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

/** The names of the secrets that a text refers to. */
export function secretNames(text: string): readonly string[] {
  return [...text.matchAll(REFERENCE)].map(([, name = '']) => name);
}

/** The text with each reference replaced by what `valueNamed` gives for its name. */
export function fillSecrets(text: string, valueNamed: (name: string) => string): string {
  return text.replace(REFERENCE, (_, name: string) => valueNamed(name));
}

/** Calls `see` with every text among the variables, and where it stands below them. */
export function eachText(value: Var, see: (text: string, path: Path) => void, path: Path = []): void {
  if (typeof value === 'string') see(value, path);
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) eachText(item, see, [...path, i]);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) eachText(item, see, [...path, key]);
  }
}

/** What is wrong with references to secrets among the variables at `at` of `document`. */
export function checkSecretNames(
  vars: Var,
  document: Declared<unknown>,
  at: Path,
  known: readonly string[],
  findings: Findings,
): void {
  eachText(vars, (text, path) => {
    for (const name of secretNames(text)) {
      if (known.includes(name)) continue;
      const hint =
        suggestion(name, known, 'secrets') ?? `say where it is kept: secrets: { ${name}: { file: secrets/${name} } }`;
      findings.error(document.place([...at, ...path]), `there is no secret "${name}"`, hint);
    }
  });
}

/** The secrets that the site declares, each kept in exactly one way. */
export function resolveSecrets(
  site: Declared<SiteDeclaration>,
  root: string,
  findings: Findings,
): ReadonlyMap<string, SecretSource> {
  const secrets = new Map<string, SecretSource>();
  for (const [name, { file, env, command }] of Object.entries(site.value.secrets)) {
    const place = site.keyPlace(['secrets', name]);
    if (!SECRET_NAME_PATTERN.test(name)) {
      findings.error(place, `"${name}" cannot name a secret`, 'use letters, digits and "_"');
    }
    const ways: SecretSource[] = [
      ...(file === undefined ? [] : [{ kind: 'file', path: resolve(root, file) } as const]),
      ...(env === undefined ? [] : [{ kind: 'env', name: env } as const]),
      ...(command === undefined ? [] : [{ kind: 'command', line: command } as const]),
    ];
    const [only, another] = ways;
    if (only && !another) secrets.set(name, only);
    else findings.error(place, `secret "${name}" wants exactly one of file, env and command`);
  }
  return secrets;
}
