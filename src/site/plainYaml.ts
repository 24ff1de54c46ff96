/** Offsets into the text of the key and the value at a path; an empty value has its key's, an item of a list its own twice. */
export type Mark = { readonly key: number; readonly value: number };

/** The value of a plain text of YAML; `marks`, if given, gets the place of each part by `markOf` its path. */
export type Plain = { readonly [key: string]: unknown };

/**
 * Reads a block map in the plain part of YAML 1.2: maps and lists in lines or in brackets on one line, plain and quoted text without
 * escapes, numbers, comments. It is many times faster than `readYaml` and gives the same value. `undefined` for anything else, be it
 * wrong or only unusual: `readYaml` reads that.
 */
export function readPlain(text: string, marks?: Map<string, Mark>): Plain | undefined {
  if (UNUSUAL.test(text)) return undefined;
  return new Reader(text, marks).document();
}

/** The name of a path among the marks. */
export function markOf(path: readonly (string | number)[]): string {
  return path.join('\n');
}

/** Tabs, carriage returns and everything beyond ASCII. */
const UNUSUAL = /[^\n\x20-\x7e]/;
const DEEPEST = 16;

/** What has no value in the plain part. */
const NONE = Symbol('none');

const KEY = /(?:[A-Za-z0-9_.][A-Za-z0-9_.,[\]-]{0,200}|"[^"\\\n]{1,200}"|'[^'\n]{1,200}'):(?=[ \n]|$)/y;
const KEY_IN_BRACKETS = /(?:[A-Za-z0-9_.][A-Za-z0-9_.-]{0,200}|"[^"\\\n]{1,200}"|'[^'\n]{1,200}'):(?= )/y;
/** Text in a line, up to its end or a comment. A colon that ends a word makes a key, `-` and `?` alone make other things. */
const WORDS = /(?:[A-Za-z0-9_./+]|-(?=[A-Za-z0-9-]))[^\n]*/y;
const NO_WORDS = /:(?: |$)/;
/** A word within brackets, up to what ends it. */
const WORD_IN_BRACKETS = /(?:[A-Za-z0-9_./+]|-(?=[A-Za-z0-9-]))[A-Za-z0-9_./+:@=*;~^$!&%|-]*(?=[ ,\]}])/y;
const QUOTED = /"([^"\\\n]*)"|'([^'\n]*)'/y;

class Reader {
  readonly #text: string;
  readonly #marks: Map<string, Mark> | undefined;
  readonly #path: (string | number)[] = [];
  /** The start of the line, and of what stands in it: `#at` is beyond the text after the last line. */
  #line = 0;
  #at = 0;

  constructor(text: string, marks: Map<string, Mark> | undefined) {
    this.#text = text;
    this.#marks = marks;
  }

  document(): Plain | undefined {
    this.#skip();
    if (this.#at >= this.#text.length) return undefined;
    const value = this.#map(this.#at - this.#line, 0);
    return value !== NONE && this.#at >= this.#text.length ? (value as Plain) : undefined;
  }

  /** To the next line, from `#at` at the end of one, that is neither blank nor a comment. */
  #next(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#line = this.#at = end === -1 ? this.#text.length : end + 1;
    this.#skip();
  }

  #skip(): void {
    const text = this.#text;
    while (this.#at < text.length) {
      while (text[this.#at] === ' ') this.#at++;
      const sign = text[this.#at];
      if (sign !== '\n' && sign !== '#') return;
      const end = text.indexOf('\n', this.#at);
      this.#line = this.#at = end === -1 ? text.length : end + 1;
    }
  }

  get #indent(): number {
    return this.#at >= this.#text.length ? -1 : this.#at - this.#line;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** The map whose keys stand in column `indent`; `#at` is at its first key. */
  #map(indent: number, depth: number): unknown {
    if (depth > DEEPEST) return NONE;
    const map: Record<string, unknown> = {};
    while (this.#indent === indent) {
      const key = this.#at;
      const name = keyOf(this.#match(KEY));
      if (name === undefined || Object.hasOwn(map, name)) return NONE;
      this.#path.push(name);
      const value = this.#behindKey(indent, key, depth);
      this.#path.pop();
      if (value === NONE) return NONE;
      map[name] = value;
    }
    return this.#indent > indent ? NONE : map;
  }

  #behindKey(indent: number, key: number, depth: number): unknown {
    this.#blanks();
    if (!this.#atEnd()) {
      this.#mark(key, this.#at);
      const value = this.#inLine(depth);
      if (value === NONE || !this.#atEnd()) return NONE;
      this.#next();
      return this.#indent > indent ? NONE : value;
    }
    this.#next();
    const isList = this.#text[this.#at] === '-' && this.#text[this.#at + 1] === ' ';
    if (this.#indent > indent || (isList && this.#indent === indent)) {
      this.#mark(key, this.#at);
      return isList ? this.#list(this.#indent, depth + 1) : this.#map(this.#indent, depth + 1);
    }
    this.#mark(key, key);
    return null;
  }

  /** A list whose dashes stand in column `indent`, of values in one line each. */
  #list(indent: number, depth: number): unknown {
    if (depth > DEEPEST) return NONE;
    const list: unknown[] = [];
    while (this.#indent === indent && this.#text.startsWith('- ', this.#at)) {
      this.#at += 2;
      this.#blanks();
      if (this.#atEnd()) return NONE;
      this.#path.push(list.length);
      this.#mark(this.#at, this.#at);
      const value = this.#inLine(depth);
      this.#path.pop();
      if (value === NONE || !this.#atEnd()) return NONE;
      list.push(value);
      this.#next();
    }
    return this.#indent > indent ? NONE : list;
  }

  #inLine(depth: number): unknown {
    const sign = this.#text[this.#at];
    if (sign === '[' || sign === '{') return this.#brackets(depth + 1);
    if (sign === '"' || sign === "'") return this.#quoted();
    const line = this.#match(WORDS);
    if (line === undefined) return NONE;
    const comment = line.indexOf(' #');
    const words = (comment === -1 ? line : line.slice(0, comment)).trimEnd();
    this.#at -= line.length - words.length;
    return NO_WORDS.test(words) ? NONE : scalarOf(words);
  }

  #quoted(): unknown {
    return this.#match(QUOTED)?.slice(1, -1) ?? NONE;
  }

  #brackets(depth: number): unknown {
    if (depth > DEEPEST) return NONE;
    const isList = this.#text[this.#at++] === '[';
    return isList ? this.#listInBrackets(depth) : this.#mapInBrackets(depth);
  }

  #listInBrackets(depth: number): unknown {
    const list: unknown[] = [];
    this.#blanks();
    if (this.#took(']')) return list;
    while (true) {
      this.#path.push(list.length);
      this.#mark(this.#at, this.#at);
      const value = this.#inBrackets(depth);
      this.#path.pop();
      if (value === NONE) return NONE;
      list.push(value);
      this.#blanks();
      if (this.#took(']')) return list;
      if (!this.#took(', ') && !this.#took(',')) return NONE;
      this.#blanks();
    }
  }

  #mapInBrackets(depth: number): unknown {
    const map: Record<string, unknown> = {};
    this.#blanks();
    if (this.#took('}')) return map;
    while (true) {
      const key = this.#at;
      const name = keyOf(this.#match(KEY_IN_BRACKETS));
      if (name === undefined || Object.hasOwn(map, name)) return NONE;
      this.#blanks();
      this.#path.push(name);
      this.#mark(key, this.#at);
      const value = this.#inBrackets(depth);
      this.#path.pop();
      if (value === NONE) return NONE;
      map[name] = value;
      this.#blanks();
      if (this.#took('}')) return map;
      if (!this.#took(', ') && !this.#took(',')) return NONE;
      this.#blanks();
    }
  }

  #inBrackets(depth: number): unknown {
    const sign = this.#text[this.#at];
    if (sign === '[' || sign === '{') return this.#brackets(depth + 1);
    if (sign === '"' || sign === "'") {
      const value = this.#quoted();
      return this.#text[this.#at] === ':' ? NONE : value;
    }
    const word = this.#match(WORD_IN_BRACKETS);
    return word === undefined || word.endsWith(':') ? NONE : scalarOf(word);
  }

  #took(sign: string): boolean {
    if (!this.#text.startsWith(sign, this.#at)) return false;
    this.#at += sign.length;
    return true;
  }

  #blanks(): void {
    while (this.#text[this.#at] === ' ') this.#at++;
  }

  /** Whether nothing but blanks and a comment is left of the line. */
  #atEnd(): boolean {
    const before = this.#at;
    this.#blanks();
    const sign = this.#text[this.#at];
    if (sign === undefined || sign === '\n' || (sign === '#' && this.#text[this.#at - 1] === ' ')) return true;
    this.#at = before;
    return false;
  }

  #mark(key: number, value: number): void {
    this.#marks?.set(markOf(this.#path), { key, value });
  }
}

/** The name of a key as matched, with its colon. */
function keyOf(found: string | undefined): string | undefined {
  if (found === undefined) return undefined;
  const name = found[0] === '"' || found[0] === "'" ? found.slice(1, -2) : found.slice(0, -1);
  return name === '__proto__' ? undefined : name;
}

const NUMBER_LIKE = /^[-+]?\.?[0-9]/;
const WHOLE = /^(?:0|-?[1-9][0-9]{0,14})$/;
const DECIMAL = /^-?[0-9]{1,9}\.[0-9]{1,6}$/;
/** Everything that the core schema may read as a number. */
const PERHAPS_NUMBER = /^[-+]?(?:0o[0-7]+|0x[0-9a-fA-F]+|\.?[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))$/;

/** A plain text as YAML's core schema reads it. */
function scalarOf(words: string): unknown {
  if (NUMBER_LIKE.test(words)) {
    if (WHOLE.test(words) || DECIMAL.test(words)) return Number(words);
    return PERHAPS_NUMBER.test(words) ? NONE : words;
  }
  switch (words) {
    case 'true':
    case 'True':
    case 'TRUE':
      return true;
    case 'false':
    case 'False':
    case 'FALSE':
      return false;
    case 'null':
    case 'Null':
    case 'NULL':
      return null;
    case '.inf':
    case '.Inf':
    case '.INF':
    case '+.inf':
    case '+.Inf':
    case '+.INF':
    case '-.inf':
    case '.nan':
    case '.NaN':
    case '.NAN':
      return NONE;
    default:
      return words;
  }
}
