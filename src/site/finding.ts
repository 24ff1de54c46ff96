import { closest, distance } from 'fastest-levenshtein';
import { type Place, ReveilleError } from '../errors.ts';
import type { Finding } from '../model/finding.ts';

/** Collects errors, warnings and notes, so that one run reports all of them. */
export class Findings {
  readonly #errors: Finding[] = [];
  readonly #warnings: Finding[] = [];
  readonly #notes: Finding[] = [];

  error(place: Place, message: string, hint?: string): void {
    this.#errors.push(finding(place, message, hint));
  }

  warn(place: Place, message: string, hint?: string): void {
    this.#warnings.push(finding(place, message, hint));
  }

  note(place: Place, message: string): void {
    this.#notes.push(finding(place, message, undefined));
  }

  /** How many there are. */
  get count(): number {
    return this.#errors.length + this.#warnings.length + this.#notes.length;
  }

  /** Takes in all that another found. */
  take(other: Findings): void {
    this.#errors.push(...other.#errors);
    this.#warnings.push(...other.#warnings);
    this.#notes.push(...other.#notes);
  }

  get errors(): readonly Finding[] {
    return [...this.#errors].sort(byPlace);
  }

  /** Throws SITE_INVALID for the first error, if there is one. */
  throwFirst(): void {
    const [first] = this.errors;
    if (first === undefined) return;
    const { place, message, hint } = first;
    throw new ReveilleError('SITE_INVALID', message, { place, ...(hint === undefined ? {} : { hint }) });
  }

  get warnings(): readonly Finding[] {
    return [...this.#warnings].sort(byPlace);
  }

  get notes(): readonly Finding[] {
    return [...this.#notes].sort(byPlace);
  }
}

/** `did you mean "gateway"?` when one of `known` is spelled much like `name`. */
export function didYouMean(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0 || name.length > LONGEST_GUESSED) return undefined;
  const lower = name.toLowerCase();
  const near = known.find((one) => one.toLowerCase() === lower) ?? closest(name, known as string[]);
  const tolerated = name.length < 3 ? 0 : Math.ceil(name.length / 3);
  const close = near.toLowerCase() === lower || distance(lower, near.toLowerCase()) <= tolerated;
  return close ? `did you mean "${near}"?` : undefined;
}

/** The nearest of `known`, else all of them if they are few: suggestions in place of `name`. */
export function suggestion(name: string, known: readonly string[], plural: string): string | undefined {
  const near = didYouMean(name, known);
  if (near !== undefined) return near;
  return known.length > 0 && known.length <= MOST_LISTED ? `known ${plural}: ${known.join(', ')}` : undefined;
}

/** A value in a message: text in quotes, the kind of anything else. */
export function inWords(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return `the text ${quoted(value)}`;
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? 'a list' : 'a map';
}

/** `text` in quotes, on one line and of bounded length. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > LONGEST_QUOTED ? `${text.slice(0, LONGEST_QUOTED)}...` : text);
}

const LONGEST_GUESSED = 100;
const LONGEST_QUOTED = 60;
const MOST_LISTED = 20;

function finding(place: Place, message: string, hint: string | undefined): Finding {
  return hint === undefined ? { place, message } : { place, message, hint };
}

function byPlace(a: Finding, b: Finding): number {
  if (a.place.file !== b.place.file)
    return fileRank(a.place.file) - fileRank(b.place.file) || (a.place.file < b.place.file ? -1 : 1);
  return a.place.line - b.place.line || a.place.col - b.place.col;
}

/** `site.yaml` first: its faults often explain the rest. */
function fileRank(file: string): number {
  return file === 'site.yaml' ? 0 : 1;
}
