import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ReveilleError } from '../errors.ts';
import type { SecretSource, Site, Var, Vars } from '../site/model.ts';
import { eachText, fillSecrets, secretNames } from '../site/secrets.ts';

/** Variables with their secrets filled in, and the values that must not be shown or kept anywhere. */
export type Revealed = { readonly vars: Vars; readonly values: ReadonlySet<string> };

/** The site's secrets. They are read when a node's files are rendered, and are held in memory alone. */
export type SiteSecrets = {
  /** Fills in what the variables refer to. Throws SECRET_MISSING with the secret's name and where it was looked for. */
  reveal(vars: Vars): Promise<Revealed>;
};

const LONGEST_SECRET = 64 * 1024;
const COMMAND_MS = 20_000;
/** A command is not run again for each node of a rack that wakes. */
const COMMAND_KEPT_MS = 60_000;

/** Secrets of the site as it is at each call; `env` is where those of the environment are. */
export function openSiteSecrets(site: () => Site, env: NodeJS.ProcessEnv, now: () => number = Date.now): SiteSecrets {
  const said = new Map<string, { readonly at: number; readonly value: Promise<string> }>();

  const ofCommand = (line: string, root: string): Promise<string> => {
    const known = said.get(line);
    if (known && now() - known.at < COMMAND_KEPT_MS) return known.value;
    const options = { cwd: root, timeout: COMMAND_MS, maxBuffer: LONGEST_SECRET };
    const value = promisify(execFile)('/bin/sh', ['-c', line], options).then(({ stdout }) => stdout);
    said.set(line, { at: now(), value });
    // What failed is tried again at the next bundle.
    value.catch(() => said.delete(line));
    return value;
  };

  const read = async (name: string, source: SecretSource | undefined, root: string): Promise<string> => {
    if (source === undefined) throw missing(name, 'the site does not say where it is kept');
    let text: string | undefined;
    try {
      if (source.kind === 'env') text = env[source.name];
      else if (source.kind === 'command') text = await ofCommand(source.line, root);
      else if ((await stat(source.path)).size <= LONGEST_SECRET) text = await readFile(source.path, 'utf8');
    } catch (cause) {
      throw missing(name, whyNot(source, cause));
    }
    const value = text?.replace(/\r?\n$/, '');
    if (value) return value;
    throw missing(name, source.kind === 'env' ? `$${source.name} is not set` : 'it is empty, or too long');
  };

  return {
    async reveal(vars) {
      const names = new Set<string>();
      eachText(vars, (text) => {
        for (const name of secretNames(text)) names.add(name);
      });
      if (names.size === 0) return { vars, values: new Set() };
      const { secrets, root } = site();
      const pairs = [...names].map(async (name) => [name, await read(name, secrets.get(name), root)] as const);
      const values = new Map(await Promise.all(pairs));
      const filled = fillIn(vars, (name) => values.get(name) ?? '') as Vars;
      return { vars: filled, values: new Set(values.values()) };
    },
  };
}

function fillIn(value: Var, valueNamed: (name: string) => string): Var {
  if (typeof value === 'string') return fillSecrets(value, valueNamed);
  if (Array.isArray(value)) return value.map((item) => fillIn(item, valueNamed));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, valueNamed)]));
}

/** What a command printed on its way down may be the secret: only how it ended is told. */
function whyNot(source: SecretSource, cause: unknown): string {
  const { code, message } = cause as { code?: unknown; message: string };
  if (source.kind === 'command') return `the command failed: ${source.line} (exit code ${code})`;
  return message;
}

function missing(name: string, why: string): ReveilleError {
  return new ReveilleError('SECRET_MISSING', `the secret ${name} cannot be had: ${why}`, {
    hint: 'see secrets: in site.yaml',
  });
}
