import { execFile } from 'node:child_process';
import { relative } from 'node:path';
import { promisify } from 'node:util';
import { type Place, ReveilleError } from '../errors.ts';
import type { Var, Vars } from '../model/node.ts';
import type { SecretSource } from '../model/secret.ts';
import { readRegular } from '../regularFile.ts';
import { eachText, fillSecrets, type Reference, secretNames } from '../site/secrets.ts';
import type { Site } from '../site/site.ts';
import type { Path } from '../site/yaml.ts';
import { formedText } from '../textForm.ts';
import { fitted, SECRET_WAYS } from './secretPlace.ts';

/** Variables with their secrets filled in, and the values that must not be shown or stored anywhere. */
export type Revealed = {
  readonly vars: Vars;
  readonly values: ReadonlySet<string>;
  /** Those that are deliberately raw in the variables (`| raw`). */
  readonly raw: ReadonlySet<string>;
};

/** What secrets need of the site. */
export type SecretsSite = Pick<Site, 'secrets' | 'root'>;

/** Bytes of one. */
export const LONGEST_SECRET = 64 * 1024;
const COMMAND_MS = 20_000;
/** A command is not run again for each node of a rack that boots. */
const COMMAND_KEPT_MS = 60_000;

/** The site's secrets. They are read when a node's files are rendered, and stay in memory only. */
export class SiteSecrets {
  readonly #site: () => SecretsSite;
  readonly #env: NodeJS.ProcessEnv;
  readonly #now: () => number;
  readonly #printed = new Map<string, { readonly at: number; readonly value: Promise<Buffer> }>();

  /** Secrets of the site as it is at each call; `env` is where those of the environment are. */
  constructor(site: () => SecretsSite, env: NodeJS.ProcessEnv, now: () => number = Date.now) {
    this.#site = site;
    this.#env = env;
    this.#now = now;
  }

  /**
   * Fills in the references of the variables. Throws SECRET_MISSING with the secret's name and its source, and SECRET_INVALID
   * with its place for a value that does not fit where it is used.
   */
  async reveal(vars: Vars): Promise<Revealed> {
    const names = new Set<string>();
    eachText(vars, (text) => {
      for (const name of secretNames(text)) names.add(name);
    });
    if (names.size === 0) return { vars, values: new Set(), raw: new Set() };
    const { secrets, root } = this.#site();
    const pairs = [...names].map(async (name) => [name, await this.#read(name, secrets.get(name), root)] as const);
    const values = new Map(await Promise.all(pairs));
    const raw = new Set<string>();
    const written = (reference: Reference, at: Path): string => {
      const value = values.get(reference.name) ?? '';
      if (reference.way === 'raw') raw.add(value);
      return inItsWay(value, reference, at, secrets.get(reference.name)?.place);
    };
    return { vars: fillIn(vars, written) as Vars, values: new Set(values.values()), raw };
  }

  async #read(name: string, source: SecretSource | undefined, root: string): Promise<string> {
    if (source === undefined) throw missing(name, 'the site does not declare where it is kept');
    let bytes: Uint8Array | undefined;
    try {
      bytes = await this.#bytesOf(source, root);
    } catch (cause) {
      throw missing(name, whyNot(source, cause));
    }
    const value = bytes && secretValue(name, source, bytes, root);
    if (value) return value;
    throw missing(
      name,
      source.kind === 'env' && bytes === undefined ? `$${source.name} is not set` : 'it is empty, or too long',
    );
  }

  async #bytesOf(source: SecretSource, root: string): Promise<Uint8Array | undefined> {
    switch (source.kind) {
      case 'env': {
        const value = this.#env[source.name];
        return value === undefined ? undefined : Buffer.from(value);
      }
      case 'command':
        return this.#ofCommand(source.line, root);
      case 'file':
        return readRegular(source.path, LONGEST_SECRET);
    }
  }

  #ofCommand(line: string, root: string): Promise<Buffer> {
    const known = this.#printed.get(line);
    if (known && this.#now() - known.at < COMMAND_KEPT_MS) return known.value;
    const options = { cwd: root, timeout: COMMAND_MS, maxBuffer: LONGEST_SECRET, encoding: 'buffer' } as const;
    const value = promisify(execFile)('/bin/sh', ['-c', line], options).then(({ stdout }) => stdout);
    this.#printed.set(line, { at: this.#now(), value });
    // A failed one is tried again for the next bundle.
    value.catch(() => this.#printed.delete(line));
    return value;
  }
}

/**
 * The value of a secret in `bytes`: without a byte order mark and without line ends after it; of a command's output, the first
 * line. Throws SECRET_INVALID with the place for bytes that are not text, and for several lines.
 */
export function secretValue(name: string, source: SecretSource, bytes: Uint8Array, root: string): string {
  const from = placeOf(source, root);
  const at = (line: number, col: number): Place | undefined =>
    source.kind === 'file' && from ? { file: from.file, line, col } : from;
  const form = formedText('secret', bytes);
  if ('problem' in form) {
    const { line, col, message, hint } = form.problem;
    throw invalid(`the secret ${name} cannot be used: ${message}`, hint, at(line, col));
  }
  const { text } = form;
  if (!text.includes('\n') || source.multiline || /^-----BEGIN [^\n]*-----\n/.test(text)) return text;
  if (source.kind === 'command') return text.slice(0, text.indexOf('\n'));
  const lines = text.split('\n').length;
  throw invalid(
    `the secret ${name} has ${lines} lines, expected one`,
    `keep nothing else in it; for a text of several lines: ${name}: { ..., multiline: true }`,
    at(2, 1),
  );
}

/** In the secret's own file, else where the site declares it. */
function placeOf(source: SecretSource, root: string): Place | undefined {
  if (source.kind !== 'file') return source.place;
  const way = relative(root, source.path);
  return { file: way.startsWith('..') ? source.path : way, line: 1, col: 1 };
}

/** A value in the way that its reference says, else as the text around it needs it. */
function inItsWay(value: string, { name, way, before, after }: Reference, at: Path, place: Place | undefined): string {
  const where = `vars.${at.join('.')}`;
  const [line = ''] = [before.split('\n').at(-1)];
  if (value.includes('\n') && (line.trim() !== '' || after.split('\n')[0]?.trim() !== '')) {
    throw invalid(`the secret ${name} has several lines and stands within a line of ${where}`, 'name it alone', place);
  }
  if (way !== undefined) {
    try {
      return SECRET_WAYS.get(way)?.(value) ?? value;
    } catch (error) {
      throw invalid(`the secret ${name} in ${where}: ${(error as Error).message}`, undefined, place);
    }
  }
  const fit = fitted(value, before, after, name);
  if ('value' in fit) return fit.value;
  throw invalid(`the secret ${name} in ${where} ${fit.problem}`, fit.hint, place);
}

function fillIn(value: Var, written: (reference: Reference, at: Path) => string, at: Path = []): Var {
  if (typeof value === 'string') return fillSecrets(value, (reference) => written(reference, at));
  if (Array.isArray(value)) return value.map((item, i) => fillIn(item, written, [...at, i]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, written, [...at, key])]));
}

/** The output of a failed command may contain the secret: only its exit code is reported. */
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

function invalid(message: string, hint: string | undefined, place: Place | undefined): ReveilleError {
  return new ReveilleError('SECRET_INVALID', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(place === undefined ? {} : { place }),
  });
}
