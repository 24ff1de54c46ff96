import { type Place, wordsOf } from '../errors.ts';
import { readRegular } from '../regularFile.ts';
import { type Findings, inWords, quoted } from '../site/finding.ts';
import { type Path, readYaml, type YamlFile } from '../site/yaml.ts';
import { formedText } from '../textForm.ts';

/** The file at the root of an overlay that sets owners, modes, variables and hooks; not written to nodes. */
export const OVERLAY_FILE = 'overlay.yaml';

/** Keys of `overlay.yaml` that are not paths. */
export const OVERLAY_KEYS = ['about', 'vars', 'hooks'] as const;

/** Owner, group and mode of one file or folder, which Git cannot keep. */
export type Access = {
  readonly place: Place;
  /** Whether the path ends in `/`: a folder, made if it is not among the files. */
  readonly folder?: true;
  readonly owner?: string;
  readonly group?: string;
  readonly mode?: number;
};

/** A shell command to run after files changed: those that the globs name, or any file of the overlay without `files`. */
export type DeclaredHook = { readonly run: string; readonly files?: readonly string[] };

export type OverlayFile = {
  /** What the overlay is for, in one line. */
  readonly about?: string;
  /** By path on the node. */
  readonly access: ReadonlyMap<string, Access>;
  readonly hooks: readonly DeclaredHook[];
  /** The whole file, for its other keys; its value is `undefined` or `null` if it is empty. */
  readonly yaml: YamlFile;
};

/**
 * Reads the `overlay.yaml` at `path`, `file` in findings: paths on the node with `{ owner, group, mode }`, and beside them the
 * keys `about`, `vars` and `hooks`. Faults go into `findings` and are left out. A missing file sets nothing.
 */
export async function readOverlayFile(path: string, file: string, findings: Findings): Promise<OverlayFile> {
  const bytes = await readBytes(path).catch((error) => {
    const message = `cannot be read: ${wordsOf(error)}`;
    findings.error({ file, line: 1, col: 1 }, message);
    return undefined;
  });
  const form = formedText('yaml', bytes ?? Buffer.alloc(0));
  if ('text' in form) return parseOverlayFile(file, form.text, findings);
  const { line, col, message, hint } = form.problem;
  findings.error({ file, line, col }, message, hint);
  return parseOverlayFile(file, '', findings);
}

/** The same of the file's text. */
export function parseOverlayFile(file: string, text: string, findings: Findings): OverlayFile {
  const yaml = readYaml(file, text, findings);
  const reader = new Reader(yaml, findings);
  return { ...reader.all(), yaml };
}

const FORM =
  'is a map from paths on the node to owner, group and mode, with the keys about, vars and hooks beside them';
const LONGEST_COMMAND = 4096;
const MOST_HOOKS = 100;

class Reader {
  readonly #yaml: YamlFile;
  readonly #findings: Findings;

  constructor(yaml: YamlFile, findings: Findings) {
    this.#yaml = yaml;
    this.#findings = findings;
  }

  all(): Omit<OverlayFile, 'yaml'> {
    const { value } = this.#yaml;
    const access = new Map<string, Access>();
    if (value === undefined || value === null) return { access, hooks: [] };
    if (!isMap(value)) {
      this.#wrong([], FORM);
      return { access, hooks: [] };
    }
    for (const [path, set] of Object.entries(value)) {
      if (isReserved(path)) continue;
      const one = this.#access(path, set);
      if (one === undefined) continue;
      const plain = path.replace(/(?<=.)\/$/, '');
      if (access.has(plain)) this.#findings.error(one.place, `${plain} stands here twice`);
      else access.set(plain, plain === path ? one : { ...one, folder: true });
    }
    const { about } = value;
    const isLine = typeof about === 'string' && !/\p{Cc}/u.test(about);
    if (about !== undefined && !isLine) this.#wrong(['about'], `about is one line of text, not ${inWords(about)}`);
    return { ...(isLine ? { about } : {}), access, hooks: this.#hooks(value.hooks) };
  }

  #access(path: string, value: unknown): Access | undefined {
    const place = this.#yaml.keyPlace([path]);
    if (!path.startsWith('/')) {
      const hint = `paths on the node begin with /; other keys are ${OVERLAY_KEYS.join(', ')}`;
      this.#findings.error(place, `unknown key ${quoted(path)}`, hint);
      return undefined;
    }
    if (!isPlainPath(path)) {
      this.#findings.error(place, `${quoted(path)} is not the path of a file or folder on the node`);
      return undefined;
    }
    if (!isMap(value)) {
      this.#findings.error(place, 'expected { owner: ..., group: ..., mode: "0640" }');
      return undefined;
    }
    const access: { place: Place; owner?: string; group?: string; mode?: number } = { place };
    for (const [key, set] of Object.entries(value)) {
      if (key === 'mode') {
        const mode = modeOf(set);
        if (mode !== undefined) access.mode = mode;
        else this.#wrong([path, key], 'mode is not an octal text', 'write it in quotes: mode: "0640"');
      } else if (key === 'owner' || key === 'group') {
        if (isAccount(set)) access[key] = String(set);
        else this.#wrong([path, key], `${key} is neither a name nor a number`);
      } else {
        this.#unknown([path, key], 'owner, group, mode');
      }
    }
    return access;
  }

  #hooks(value: unknown): readonly DeclaredHook[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.#wrong(['hooks'], `hooks is a list, not ${inWords(value)}`, HOOK_EXAMPLE);
      return [];
    }
    if (value.length > MOST_HOOKS) {
      this.#wrong(['hooks', MOST_HOOKS], `an overlay has at most ${MOST_HOOKS} hooks`);
      return [];
    }
    return value.flatMap((hook, i) => this.#hook(['hooks', i], hook) ?? []);
  }

  #hook(at: Path, hook: unknown): DeclaredHook | undefined {
    if (!isMap(hook)) {
      this.#wrong(at, `a hook is a map, not ${inWords(hook)}`, HOOK_EXAMPLE);
      return undefined;
    }
    for (const key of Object.keys(hook))
      if (key !== 'run' && key !== 'files') this.#unknown([...at, key], 'files, run');
    const { run, files } = hook;
    if (!isCommand(run)) {
      const message =
        run === undefined ? 'this hook has no command' : 'run is a shell command: text of one or more lines';
      this.#wrong(run === undefined ? at : [...at, 'run'], message, HOOK_EXAMPLE);
      return undefined;
    }
    if (files === undefined) return { run };
    if (!Array.isArray(files) || files.length === 0) {
      const hint = 'such as files: [/etc/chrony/**]; without files it runs when any file of this overlay changed';
      this.#wrong([...at, 'files'], `files is a list of paths on the node, not ${inWords(files)}`, hint);
      return undefined;
    }
    const bad = files.findIndex((glob) => !isAbsoluteGlob(glob));
    if (bad >= 0) {
      this.#wrong([...at, 'files', bad], `${inWords(files[bad])} is not an absolute path`, 'such as /etc/chrony/**');
      return undefined;
    }
    return { run, files };
  }

  #unknown(at: Path, known: string): void {
    this.#findings.error(this.#yaml.keyPlace(at), `unknown key ${quoted(String(at.at(-1)))}`, `known keys: ${known}`);
  }

  #wrong(at: Path, message: string, hint?: string): void {
    this.#findings.error(this.#yaml.place(at), message, hint);
  }
}

const HOOK_EXAMPLE = 'such as { files: [/etc/chrony/**], run: systemctl try-reload-or-restart chrony }';

/** The bits of an octal text such as `0640`; `undefined` for anything else. */
export function modeOf(value: unknown): number | undefined {
  return typeof value === 'string' && /^0?[0-7]{3,4}$/.test(value) ? Number.parseInt(value, 8) : undefined;
}

/** Whether an owner or a group can be called that: a name or a number. */
export function isAccount(value: unknown): boolean {
  return /^([A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|[0-9]{1,10})$/.test(String(value));
}

function isReserved(key: string): boolean {
  return (OVERLAY_KEYS as readonly string[]).includes(key);
}

/** Absolute, without empty, `.` and `..` parts, perhaps with a `/` at its end. */
function isPlainPath(path: string): boolean {
  const parts = path
    .replace(/(?<=.)\/$/, '')
    .split('/')
    .slice(1);
  return parts.every((part) => !['', '.', '..'].includes(part)) && path.length <= 1024 && !/\p{Cc}/u.test(path);
}

function isCommand(run: unknown): run is string {
  return typeof run === 'string' && run.trim() !== '' && run.length <= LONGEST_COMMAND && !/[^\P{Cc}\n\t]/u.test(run);
}

function isAbsoluteGlob(glob: unknown): glob is string {
  return typeof glob === 'string' && glob.startsWith('/') && glob.length <= 1024 && !/\p{Cc}/u.test(glob);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const LARGEST = 1024 * 1024;

async function readBytes(path: string): Promise<Uint8Array | undefined> {
  return readRegular(path, LARGEST).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
