import type { z } from 'zod';
import type { Place } from '../errors.ts';
import { type Findings, inWords, suggestion } from './finding.ts';
import type { Path, YamlFile } from './yaml.ts';

/** A file with the parts that have the right form, each with its place; parts of a wrong form are left out. */
export type Declared<T> = {
  readonly value: T;
  /** The place of the value at `path` (`path` as in `value`). */
  place(path: Path): Place;
  /** The place of the last key of `path`. */
  keyPlace(path: Path): Place;
  /** The keys of the map at `path`, including those whose values were left out. */
  names(path: Path): readonly string[];
  /** Whether the value at `path`, or one that contains it, was left out. */
  lost(path: Path): boolean;
};

/**
 * Checks a file against its schema. Each part of a wrong form becomes a finding and is then left out, so that the rest can still
 * be checked: one run reports all faults. `undefined` if nothing usable is left. Messages come from the schema itself (see
 * schema.ts): the second line of a message is its hint, and the message of an unknown key lists the known ones.
 */
export function hold<T>(file: YamlFile, schema: z.ZodType<T>, findings: Findings): Declared<T> | undefined {
  if (file.value === undefined) return undefined;
  const kept = new Kept(file.value === null ? {} : file.value);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const result = schema.safeParse(kept.value);
    if (result.success) {
      return {
        value: result.data,
        place: (path) => file.place(kept.original(path)),
        keyPlace: (path) => file.keyPlace(kept.original(path)),
        names: (path) => Object.keys(valueAt(file.value, path) ?? {}),
        lost: (path) =>
          kept.lost.has(JSON.stringify(path)) || path.some((_, i) => kept.lost.has(JSON.stringify(path.slice(0, i)))),
      };
    }
    const wrong = result.error.issues.flatMap(unfold);
    const outdented = outdentedKeys(wrong, schema, file.value);
    for (const { holder, owner, keys } of outdented) {
      const at = [...holder, keys[0]];
      const beside = owner === undefined ? 'the names of entries' : `"${owner}"`;
      const message = `${keys.map((key) => `"${key}"`).join(', ')} ${keys.length === 1 ? 'stands' : 'stand'} beside ${beside} and not in it`;
      const name =
        owner === undefined
          ? 'the name that it belongs to'
          : `"${owner}" in line ${file.keyPlace([...holder, owner]).line}`;
      findings.error(file.keyPlace(at), message, `indent it deeper than ${name}`);
    }
    for (const issue of wrong) if (!outdented.some((group) => isOf(issue, group))) report(issue, kept, file, findings);
    if (!kept.drop(wrong.flatMap((issue) => toDrop(issue, kept)))) return undefined;
  }
  return undefined;
}

type Issue = z.core.$ZodIssue;

/** A schema is a few levels deep; each round frees at least one more level. */
const MOST_ROUNDS = 12;

/** Of a union that nothing matched, the fault in the branch that came closest; any other issue itself. */
function unfold(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const branches = issue.errors.map((branch) =>
    branch.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(unfold),
  );
  const isNear = (inner: Issue) => inner.path.length > issue.path.length || inner.code === 'custom';
  return branches.find((branch) => branch.some(isNear)) ?? [issue];
}

/** Keys of an entry that stand in the column of the entries' names, below `holder`: `owner` is the empty entry before them. */
type Outdented = { readonly holder: Path; readonly owner: string | undefined; readonly keys: [string, ...string[]] };

/** Where `mac:` has become a node: an entry that is not a map and whose name is a key of entries. */
function outdentedKeys(issues: readonly Issue[], schema: z.ZodType, value: unknown): readonly Outdented[] {
  const groups = new Map<string, Outdented>();
  for (const issue of issues) {
    const path = pathOf(issue);
    const key = path.at(-1);
    const shape = shapeAt(schema, path);
    if (typeof key !== 'string' || path.length < 2 || shape === undefined || !Object.hasOwn(shape, key)) continue;
    const holder = path.slice(0, -1);
    const id = JSON.stringify(holder);
    const known = groups.get(id);
    if (known) known.keys.push(key);
    else groups.set(id, { holder, owner: emptyBefore(valueAt(value, holder), key), keys: [key] });
  }
  return [...groups.values()];
}

function isOf(issue: Issue, { holder, owner, keys }: Outdented): boolean {
  const path = pathOf(issue);
  const key = path.at(-1);
  if (path.length !== holder.length + 1 || !holder.every((part, i) => part === path[i])) return false;
  return typeof key === 'string' && (key === owner || keys.includes(key));
}

/** The entry before `key`, if it holds nothing. */
function emptyBefore(map: unknown, key: string): string | undefined {
  const entries = Object.entries(map ?? {});
  const before = entries[entries.findIndex(([name]) => name === key) - 1];
  return before?.[1] === null ? before[0] : undefined;
}

type Definition = { readonly innerType?: z.ZodType; readonly valueType?: z.ZodType; readonly shape?: Shape };
type Shape = Readonly<Record<string, z.ZodType>>;

/** The keys of the schema at a path, if that is an entry of a map whose keys the operator chooses. */
function shapeAt(schema: z.ZodType, path: Path): Shape | undefined {
  let at = bare(schema);
  let chosen = false;
  for (const part of path) {
    const { shape, valueType }: Definition = at;
    chosen = valueType !== undefined;
    const next = valueType ?? shape?.[part];
    if (next === undefined) return undefined;
    at = bare(next);
  }
  return chosen ? at.shape : undefined;
}

/** The definition below defaults and the like. */
function bare(schema: z.ZodType): Definition {
  let definition = schema.def as Definition;
  while (definition.innerType !== undefined) definition = definition.innerType.def as Definition;
  return definition;
}

function report(issue: Issue, kept: Kept, file: YamlFile, findings: Findings): void {
  const path = pathOf(issue);
  const original = kept.original(path);
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      const hint = MISLED[key] ?? suggestion(key, issue.message.split(' '), 'keys');
      findings.error(file.keyPlace([...original, key]), `unknown key "${key}"`, hint);
    }
    return;
  }
  const [message = '', hint] = issue.message.split('\n').filter((part) => part !== '');
  if (kept.at(path) !== undefined) {
    findings.error(file.place(original), message, hint);
    return;
  }
  // Missing only because its form was wrong, which is reported already.
  if (kept.lost.has(JSON.stringify(original))) return;
  const wanted = message.replace(/^expected (.*), found .*$/, '$1');
  findings.error(file.keyPlace(original.slice(0, -1)), `key "${path.at(-1)}" is missing: ${wanted}`, hint);
}

/** Keys that people use from other formats. */
const MISLED: Readonly<Record<string, string>> = {
  '<<': 'merge keys are not part of YAML 1.2: put what nodes share into a profile',
};

/** The paths to remove to resolve this issue: the wrong value, or the map that lacks a key. */
function toDrop(issue: Issue, kept: Kept): readonly Path[] {
  const path = pathOf(issue);
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...path, key]);
  return [kept.at(path) === undefined ? path.slice(0, -1) : path];
}

function pathOf(issue: Issue): Path {
  return issue.path.filter((part) => typeof part !== 'symbol');
}

/** The value at a path; `undefined` if there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string | number, unknown>)[part];
  }
  return at;
}

/** The remaining value, and the earlier index of each item of a list that lost some. */
class Kept {
  #value: unknown;
  #own = false;
  /** What was removed, by its path in the file, as JSON. */
  readonly lost = new Set<string>();
  readonly #positions = new WeakMap<unknown[], number[]>();

  constructor(value: unknown) {
    this.#value = value;
  }

  get value(): unknown {
    return this.#value;
  }

  at(path: Path): unknown {
    return valueAt(this.value, path);
  }

  original(path: Path): Path {
    return path.map((part, i) => {
      const holder = this.at(path.slice(0, i));
      return Array.isArray(holder) ? (this.#positions.get(holder)?.[Number(part)] ?? part) : part;
    });
  }

  /** Removes the values at `paths`; false if that is everything. */
  drop(paths: readonly Path[]): boolean {
    if (paths.some((path) => path.length === 0)) return false;
    if (!this.#own) this.#value = structuredClone(this.#value);
    this.#own = true;
    const emptied = new Set<unknown[]>();
    for (const path of paths) this.lost.add(JSON.stringify(this.original(path)));
    for (const path of paths) {
      const holder = this.at(path.slice(0, -1));
      const last = path.at(-1);
      if (holder === null || typeof holder !== 'object' || last === undefined) continue;
      if (Array.isArray(holder)) {
        holder[Number(last)] = GONE;
        emptied.add(holder);
      } else {
        delete (holder as Record<string, unknown>)[last];
      }
    }
    for (const list of emptied) this.#close(list);
    return true;
  }

  #close(list: unknown[]): void {
    const before = this.#positions.get(list) ?? list.map((_, i) => i);
    this.#positions.set(
      list,
      before.filter((_, i) => list[i] !== GONE),
    );
    const left = list.filter((item) => item !== GONE);
    list.splice(0, list.length, ...left);
  }
}

const GONE = Symbol('gone');

/** The words for a value of the wrong kind. */
export function mistyped(expected: string, input: unknown): string {
  return `expected ${expected}, found ${inWords(input)}`;
}
