/** Why something is not as it was: a sentence, or one with names in it. */
export type Why = string | Reason;

/** A sentence with names in it. Sentences that differ in their names alone are one reason, and one line of a report. */
export class Reason {
  /** The words before, between and behind the names: one more than these. */
  readonly words: readonly string[];
  readonly names: readonly string[];

  constructor(words: readonly string[], names: readonly string[]) {
    this.words = words;
    this.names = names;
  }

  toString(): string {
    return sentence(this.words, this.names);
  }

  /** The same with each part as `show` shows texts, such as without secrets. */
  shown(show: (text: string) => string): Reason {
    return new Reason(this.words.map(show), this.names.map(show));
  }
}

export function isWhy(value: unknown): value is Why {
  return typeof value === 'string' || value instanceof Reason;
}

/** Makes a reason of a template: what stands in `${}` are its names, and the names of reasons within it. */
export function reason(words: TemplateStringsArray, ...names: readonly (Why | number)[]): Reason {
  return merged(words, names);
}

/** Several reasons of one thing, apart by semicolons; `undefined` if there is none. */
export function reasons(list: readonly Why[]): Why | undefined {
  const [first, ...others] = list;
  if (first === undefined || others.length === 0) return first;
  return list.every((one) => typeof one === 'string') ? list.join('; ') : joined(list);
}

function joined(list: readonly Why[]): Reason {
  const words: string[] = [''];
  const names: string[] = [];
  for (const [i, one] of list.entries()) {
    const [first = '', ...more] = typeof one === 'string' ? [one] : one.words;
    words[words.length - 1] += `${i === 0 ? '' : '; '}${first}`;
    words.push(...more);
    if (typeof one !== 'string') names.push(...one.names);
  }
  return new Reason(words, names);
}

function merged(template: readonly string[], values: readonly (Why | number)[]): Reason {
  const words = [template[0] ?? ''];
  const names: string[] = [];
  for (const [i, value] of values.entries()) {
    const behind = template[i + 1] ?? '';
    if (!(value instanceof Reason)) {
      names.push(String(value));
      words.push(behind);
      continue;
    }
    const [first = '', ...more] = value.words;
    words[words.length - 1] += first;
    words.push(...more);
    names.push(...value.names);
    words[words.length - 1] += behind;
  }
  return new Reason(words, names);
}

/** What stands for names that are not the same in all of several sentences. */
const VARIOUS = '...';

/** The sentence that reasons of the same words have in common. */
export function common([first, ...others]: readonly [Reason, ...Reason[]]): string {
  const names = first.names.map((name, i) => (others.every((other) => other.names[i] === name) ? name : VARIOUS));
  return sentence(first.words, names);
}

function sentence(words: readonly string[], names: readonly string[]): string {
  return words.map((text, i) => `${text}${names[i] ?? ''}`).join('');
}
