import type { z } from 'zod';
import type { Place } from '../errors.ts';
import { type Findings, inWords, suggestion } from './finding.ts';
import type { Path, YamlFile } from './yaml.ts';

/** A file whose parts that have the right form are at hand, each with its place; what had a wrong form is left out. */
export type Declared<T> = {
  readonly value: T;
  /** Where the value at `path` stands (`path` as in `value`). */
  place(path: Path): Place;
  /** Where the last key of `path` stands. */
  keyPlace(path: Path): Place;
  /** The keys of the map at `path`, those included whose values were left out. */
  names(path: Path): readonly string[];
  /** Whether what stood at `path`, or what it was part of, was left out. */
  lost(path: Path): boolean;
};

/**
 * Holds a file against its schema. Everything of a wrong form becomes a finding and is then left out, so that the
 * rest can still be checked: one run tells all that is wrong. `undefined` if nothing usable is left.
 *
 * Messages come from the schema itself (see schema.ts): a message's second line is its hint, and the message of an
 * unknown key lists the known ones.
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
    for (const issue of wrong) tell(issue, kept, file, findings);
    if (!kept.drop(wrong.flatMap((issue) => toDrop(issue, kept)))) return undefined;
  }
  return undefined;
}

type Issue = z.core.$ZodIssue;

/** A schema is a few levels deep; each round frees at least one more level. */
const MOST_ROUNDS = 12;

/** Of a union that nothing fitted, what is wrong in the branch that came closest; any other issue itself. */
function unfold(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const branches = issue.errors.map((branch) =>
    branch.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(unfold),
  );
  const isNear = (inner: Issue) => inner.path.length > issue.path.length || inner.code === 'custom';
  return branches.find((branch) => branch.some(isNear)) ?? [issue];
}

function tell(issue: Issue, kept: Kept, file: YamlFile, findings: Findings): void {
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
  // Missing only because it was of a wrong form: told already.
  if (kept.lost.has(JSON.stringify(original))) return;
  const wanted = message.replace(/^expected (.*), found .*$/, '$1');
  findings.error(file.keyPlace(original.slice(0, -1)), `key "${path.at(-1)}" is missing: ${wanted}`, hint);
}

/** Keys that people bring along from elsewhere. */
const MISLED: Readonly<Record<string, string>> = {
  '<<': 'merge keys are not part of YAML 1.2: put what nodes share into a profile',
};

/** What must go so that this issue is gone: the wrong value, or what lacks a key. */
function toDrop(issue: Issue, kept: Kept): readonly Path[] {
  const path = pathOf(issue);
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...path, key]);
  return [kept.at(path) === undefined ? path.slice(0, -1) : path];
}

function pathOf(issue: Issue): Path {
  return issue.path.filter((part) => typeof part !== 'symbol');
}

/** What stands at a path of a value; `undefined` if nothing does. */
export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string | number, unknown>)[part];
  }
  return at;
}

/** What is left of a value, and where each item of a list that lost some stood before. */
class Kept {
  #value: unknown;
  #own = false;
  /** What was taken out, by its path in the file, as JSON. */
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

  /** Takes out what stands at `paths`; false if that is everything. */
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
