import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { osloForm, shellForm } from './quoting.ts';

/** A private key as files hold it: PEM and OpenSSH's form (RFC 7468; openssh PROTOCOL.key). */
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|$)/g;

/** The replacement of a hidden secret. */
export const KEPT_PRIVATE = '(kept private)';

/** A shorter text occurs by chance in many others: hiding it would hide too much. */
export const SHORTEST_HIDDEN = 4;
/** Part of a private key, or of a secret of several lines. A shorter line may be an ordinary text. */
const SHORTEST_LINE = 8;
/** Fewer forms of a longer value are searched for. */
const LONG_VALUE = 2048;
/** The longest end of a secret that is searched for where a text was cut off. */
const LONGEST_END = 256;
const MOST_KEPT = 500;

type Form = (text: string) => string;

/** What filters make of a text, character by character, so that a secret within a longer text is found too. */
const ENCODINGS: readonly Form[] = [
  (text) => JSON.stringify(text).slice(1, -1),
  (text) => yamlForm(text),
  (text) => quotedYaml(text),
  (text) => text.replaceAll("'", "''"),
  (text) => urlForm(text),
  (text) => osloForm(text),
  (text) => shellForm(text),
  (text) => text.replace(/[&"'<>\\]/g, (char) => ENTITIES[char] ?? char),
];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '"': '&quot;',
  "'": '&#39;',
  '<': '&lt;',
  '>': '&gt;',
  '\\': '&#92;',
};

const CHANGES: readonly Form[] = [
  ...ENCODINGS,
  (text) => text.toUpperCase(),
  (text) => text.toLowerCase(),
  capitalized,
  (text) => titled(text),
  // Within a longer text its first word does not begin one.
  (text) => text.charAt(0).toLowerCase() + titled(text).slice(1),
  (text) => text.trim(),
  (text) => text.split('').reverse().join(''),
];

/**
 * Hides secrets in texts: each value as it is and as any filter of templates makes it, also two of them one after the other,
 * each line of values with several, and private keys of any kind. Values of fewer than `SHORTEST_HIDDEN` characters are not
 * hidden; nor is a part that a template cuts out of a value.
 */
export class SecretMask {
  /** What is hidden, longest first. */
  readonly #texts: readonly string[];
  /** Those of them that a node's agent must know. */
  readonly #agents: readonly string[];
  #id: string | undefined;

  private constructor(texts: Iterable<string>, agents: Iterable<string>) {
    this.#texts = longestFirst(texts);
    this.#agents = longestFirst(agents);
  }

  /** `values` are the site's secrets; `keys` are private keys, in whatever form, which nodes get beside them. */
  static of(values: Iterable<string>, keys: Iterable<string> = []): SecretMask {
    const forms = [...values].flatMap(knownForms);
    const ofKeys = [...keys].flatMap((key) => linesOf(key).flatMap((line) => [line, urlForm(line)]));
    return new SecretMask(
      [...forms, ...ofKeys],
      forms.filter((text) => !/[\n\r\0]/.test(text)),
    );
  }

  /** Hides what either of the two hides. */
  and(other: SecretMask): SecretMask {
    if (other === this || other.#texts.length === 0) return this;
    return new SecretMask([...this.#texts, ...other.#texts], [...this.#agents, ...other.#agents]);
  }

  /** The text with `(kept private)` for each secret in it. */
  mask(text: string): string {
    return hidden(text, this.#found(text));
  }

  /**
   * The same for a text that was cut off: the end of a secret that it begins with and the beginning of one that it ends with
   * are hidden too.
   */
  maskCut(text: string): string {
    const found = this.#found(text);
    const start = longestOf(this.#texts, (one, length) => text.startsWith(one.slice(-length)));
    const end = longestOf(this.#texts, (one, length) => text.endsWith(one.slice(0, length)));
    if (start > 0) found.push([0, start]);
    if (end > 0) found.push([text.length - end, text.length]);
    return hidden(text, found);
  }

  /** Whether a text contains a secret. */
  finds(text: string): boolean {
    return this.#found(text).length > 0;
  }

  /** The same for masks that hide the same. */
  get id(): string {
    this.#id ??= createHash('sha256').update(this.#texts.join('\0')).digest('hex');
    return this.#id;
  }

  /** What a node's agent must hide in its output: one literal text per line, longest first; empty if there is none. */
  get agentList(): string {
    return this.#agents.map((text) => `${text}\n`).join('');
  }

  /** Where secrets stand, in any order; places may overlap. */
  #found(text: string): [number, number][] {
    const found: [number, number][] = [];
    for (const { index, 0: key } of text.matchAll(PRIVATE_KEY)) found.push([index, index + key.length]);
    for (const one of this.#texts) {
      for (let at = text.indexOf(one); at >= 0; at = text.indexOf(one, at + 1)) found.push([at, at + one.length]);
    }
    return found;
  }
}

/** Hides nothing but private keys in the forms that files have. */
export const NO_SECRETS = SecretMask.of([]);

const known = new Map<string, readonly string[]>();

/** The forms of a value: the same for the thousand nodes that have it. */
function knownForms(value: string): readonly string[] {
  const before = known.get(value);
  if (before) return before;
  const forms = [...formsOf(value), ...(linesOf(value).length > 1 ? linesOf(value).flatMap(formsOf) : [])];
  if (known.size === MOST_KEPT) known.clear();
  known.set(value, forms);
  return forms;
}

function formsOf(value: string): readonly string[] {
  if (value.trim().length < SHORTEST_HIDDEN) return [];
  const forms = new Set([value]);
  const changes = value.length > LONG_VALUE ? ENCODINGS : CHANGES;
  const once = changes.map((change) => change(value));
  for (const form of once) forms.add(form);
  if (value.length <= LONG_VALUE) {
    for (const form of once) for (const change of CHANGES) forms.add(change(form));
  }
  return [...forms].filter((form) => form.trim().length >= SHORTEST_HIDDEN);
}

/** The lines of a value that say something of their own: not what frames each key. */
function linesOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----'));
}

function longestFirst(texts: Iterable<string>): readonly string[] {
  return [...new Set(texts)].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
}

/** The greatest length for which `fits` holds of a text that is longer than that. */
function longestOf(texts: readonly string[], fits: (text: string, length: number) => boolean): number {
  let longest = 0;
  for (const one of texts) {
    for (let length = Math.min(one.length - 1, LONGEST_END); length > longest && length >= SHORTEST_HIDDEN; length--) {
      if (fits(one, length)) longest = length;
    }
  }
  return longest;
}

function hidden(text: string, places: readonly (readonly [number, number])[]): string {
  let result = '';
  let at = 0;
  let shown = true;
  for (const [start, end] of [...places].sort((a, b) => a[0] - b[0] || b[1] - a[1])) {
    if (start > at || (shown && start === at)) {
      result += text.slice(at, start) + KEPT_PRIVATE;
      shown = false;
    }
    at = Math.max(at, end);
  }
  return result + text.slice(at);
}

function capitalized(text: string): string {
  const low = text.toLowerCase();
  return low.charAt(0).toUpperCase() + low.slice(1);
}

function titled(text: string): string {
  return text.split(' ').map(capitalized).join(' ');
}

/** As YAML writes it, without the quotes that it may need. */
function yamlForm(text: string): string {
  const written = stringify(text, { lineWidth: 0 }).trimEnd();
  const quote = written.charAt(0);
  return (quote === '"' || quote === "'") && written.length > 1 && written.endsWith(quote)
    ? written.slice(1, -1)
    : written;
}

/** As YAML writes it within double quotes, which what stands around it may call for. */
function quotedYaml(text: string): string {
  return stringify(text, { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE' }).trimEnd().slice(1, -1);
}

function urlForm(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text;
  }
}
