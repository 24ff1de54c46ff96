import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { type Place, ReveilleError, wordsOf } from '../../errors.ts';
import { invalid } from '../invalid.ts';
import { type Field, type Setting, settingsIn, valuesIn } from './settings.ts';

const LONGEST_FILE = 10_000_000;
const DEEPEST = 16;
const MOST_FILES = 5000;
const VALUES_OF: { readonly [keyword: string]: string } = {
  'dhcp-hostsfile': 'dhcp-host',
  'dhcp-hostsdir': 'dhcp-host',
  'dhcp-optsfile': 'dhcp-option',
  'dhcp-optsdir': 'dhcp-option',
};

/**
 * Reads a configuration with all that it draws in by conf-file, conf-dir and the files of hosts and options. Only files of
 * the folder that `file` lies in are read: of a path elsewhere, the file or folder of that name beside `file`. Throws
 * IMPORT_INVALID for what cannot be read, for files that draw each other in, and for what dnsmasq refuses.
 */
export async function readSettings(file: string): Promise<readonly Setting[]> {
  const full = resolve(file);
  const reader = new Reader(dirname(full));
  await reader.read(full, undefined);
  return reader.settings;
}

class Reader {
  readonly settings: Setting[] = [];
  readonly #root: string;
  readonly #within: string[] = [];
  #files = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async read(file: string, from: Field | undefined): Promise<void> {
    const name = relative(this.#root, file);
    if (this.#within.includes(file)) throw refused(from, name, `${name} draws itself in`);
    if (this.#within.length >= DEEPEST) throw refused(from, name, 'files draw each other in too deeply');
    this.#within.push(file);
    for (const setting of settingsIn(name, await this.#text(file, from))) await this.#take(setting);
    this.#within.pop();
  }

  async #take(setting: Setting): Promise<void> {
    const [path, ...patterns] = setting.fields;
    const values = VALUES_OF[setting.keyword];
    if (setting.keyword === 'conf-file' && path) await this.read(await this.#inside(path), path);
    else if (setting.keyword === 'conf-dir' && path) {
      for (const file of await this.#filesIn(path, patterns)) await this.read(file, path);
    } else if (values !== undefined && path) {
      if ((await this.#found(path)) === undefined) {
        // dnsmasq goes on without it.
        this.settings.push(setting);
        return;
      }
      for (const file of await this.#filesIn(path, [])) {
        const text = await this.#text(file, path);
        for (const one of valuesIn(relative(this.#root, file), text, values)) this.settings.push(one);
      }
    } else this.settings.push(setting);
  }

  /** The files of a folder in the order of their names, or the one file that `path` is. */
  async #filesIn(path: Field, patterns: readonly Field[]): Promise<readonly string[]> {
    const folder = await this.#inside(path);
    if (!(await stat(folder)).isDirectory()) return [folder];
    const entries = await readdir(folder, { withFileTypes: true });
    const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    return names
      .filter((name) => isWanted(name, patterns))
      .sort()
      .map((name) => join(folder, name));
  }

  /** Where a path of the configuration leads: within the root as it is, or to what is called so beside the first file. */
  async #inside(path: Field): Promise<string> {
    const found = await this.#found(path);
    if (found !== undefined) return found;
    const asked = path.text.replace(/\/+$/, '');
    throw invalid(
      path.place,
      `${path.text} is not found in ${this.#root}`,
      `copy it there, beside the configuration, as ${basename(asked)}`,
    );
  }

  async #found(path: Field): Promise<string | undefined> {
    const asked = path.text.replace(/\/+$/, '');
    const candidates = [resolve(this.#root, asked), ...(isAbsolute(asked) ? [join(this.#root, basename(asked))] : [])];
    for (const candidate of candidates) {
      if (await this.#isInside(candidate)) return candidate;
    }
    return undefined;
  }

  async #isInside(path: string): Promise<boolean> {
    try {
      const real = await realpath(path);
      const root = await realpath(this.#root);
      return real.startsWith(root.endsWith(sep) ? root : root + sep);
    } catch {
      return false;
    }
  }

  async #text(file: string, from: Field | undefined): Promise<string> {
    const name = relative(this.#root, file);
    if (++this.#files > MOST_FILES) throw refused(from, name, `more than ${MOST_FILES} files are drawn in`);
    try {
      const about = await stat(file);
      if (!about.isFile()) throw refused(from, name, `${name} is not a file`);
      if (about.size > LONGEST_FILE) throw refused(from, name, `${name} is longer than ${LONGEST_FILE / 1e6} MB`);
      return await readFile(file, 'utf8');
    } catch (error) {
      if (error instanceof ReveilleError) throw error;
      throw refused(from, name, `${name} cannot be read: ${wordsOf(error)}`);
    }
  }
}

function refused(from: Field | undefined, file: string, message: string): ReveilleError {
  const start: Place = { file, line: 1, col: 1 };
  return invalid(from?.place ?? start, message);
}

/** As conf-dir has it: no backups and hidden files; behind the folder, endings to leave out, or with `*` to take alone. */
function isWanted(name: string, patterns: readonly Field[]): boolean {
  if (name.startsWith('.') || name.endsWith('~') || (name.startsWith('#') && name.endsWith('#'))) return false;
  const texts = patterns.map(({ text }) => text).filter((text) => text !== '');
  const wanted = texts.filter((text) => text.startsWith('*')).map((text) => text.slice(1));
  const unwanted = texts.filter((text) => !text.startsWith('*'));
  if (unwanted.some((ending) => name.endsWith(ending))) return false;
  return wanted.length === 0 || wanted.some((ending) => name.endsWith(ending));
}
