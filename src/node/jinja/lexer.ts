import { type At, TemplateProblem } from './problem.ts';

/** A piece of a template. `trims` of a tag's end: the text behind it loses the blanks that it begins with. */
export type Token = At &
  (
    | { readonly type: 'text'; readonly value: string }
    | { readonly type: 'open'; readonly tag: 'block' | 'print'; readonly value: string }
    | { readonly type: 'close'; readonly tag: 'block' | 'print'; readonly value: string }
    | { readonly type: 'string' | 'name' | 'operator'; readonly value: string }
    | { readonly type: 'number'; readonly value: string; readonly number: number }
    | { readonly type: 'regex'; readonly value: string; readonly flags: string }
    | { readonly type: 'end'; readonly value: string }
  );

const BLANKS = ' \n\t\r\u00a0';
const DELIMITERS = '()[]{}%*-+~/#,:|.<>=!';
const LONG_OPERATORS = ['===', '!==', '==', '!=', '<=', '>=', '//', '**'] as const;
const OPENS: Readonly<Record<string, 'block' | 'print' | 'comment'>> = {
  '{%': 'block',
  '{{': 'print',
  '{#': 'comment',
};
const DEEPEST = 200;

/**
 * Cuts a template into tokens, in time that grows with its length alone. A newline that follows the end of a block tag
 * belongs to the tag. Throws a TemplateProblem for what is no token.
 */
export function tokensOf(text: string): readonly Token[] {
  return new Lexer(text).tokens();
}

class Lexer {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #counted = 0;

  constructor(text: string) {
    this.#text = text;
  }

  tokens(): readonly Token[] {
    const text = this.#text;
    let trims = false;
    while (this.#at < text.length) {
      const open = this.#nextOpening();
      const start = this.#at;
      const place = this.#place();
      if (open > start) {
        let data = text.slice(start, open);
        if (trims) data = data.trimStart();
        if (text[open + 2] === '-') data = data.trimEnd();
        this.#tokens.push({ type: 'text', value: data, ...place });
      }
      this.#at = open;
      if (open >= text.length) break;
      const kind = OPENS[text.slice(open, open + 2)];
      if (kind === 'comment') trims = this.#comment();
      else if (kind !== undefined) trims = this.#tag(kind);
    }
    this.#tokens.push({ type: 'end', value: 'end of file', ...this.#place() });
    return this.#tokens;
  }

  #nextOpening(): number {
    const text = this.#text;
    for (let i = text.indexOf('{', this.#at); i >= 0; i = text.indexOf('{', i + 1)) {
      const next = text[i + 1];
      if (next === '%' || next === '{' || next === '#') return i;
    }
    return text.length;
  }

  #comment(): boolean {
    const end = this.#text.indexOf('#}', this.#at + 2);
    if (end < 0) {
      throw new TemplateProblem('unclosed', 'expected end of comment, got end of file', this.#place());
    }
    this.#at = end + 2;
    return this.#text[end - 1] === '-';
  }

  /** Reads a tag to its end; whether it takes the blanks behind it. */
  #tag(tag: 'block' | 'print'): boolean {
    const text = this.#text;
    this.#tokens.push({ type: 'open', tag, value: tag === 'block' ? '{%' : '{{', ...this.#place() });
    this.#at += text[this.#at + 2] === '-' ? 3 : 2;
    const first = this.#tokens.length;
    const close = tag === 'block' ? '%}' : '}}';
    let depth = 0;
    for (;;) {
      while (this.#at < text.length && BLANKS.includes(text.charAt(this.#at))) this.#at++;
      if (this.#at >= text.length) return false;
      const place = this.#place();
      const minus = text.startsWith(`-${close}`, this.#at);
      if (depth === 0 && (minus || text.startsWith(close, this.#at))) {
        this.#at += minus ? 3 : 2;
        if (tag === 'block') this.#newline();
        this.#tokens.push({ type: 'close', tag, value: minus ? `-${close}` : close, ...place });
        const [name, end] = this.#tokens.slice(first, first + 2);
        if (tag === 'block' && name?.type === 'name' && end?.type === 'close' && RAW.has(name.value)) {
          return this.#raw(name.value, minus);
        }
        return minus;
      }
      const token = this.#token(place);
      if (token.type === 'operator') {
        if ('([{'.includes(token.value)) depth++;
        else if (')]}'.includes(token.value)) depth = Math.max(0, depth - 1);
        if (depth > DEEPEST) throw new TemplateProblem('too-deep', 'brackets are nested too deeply', place);
      }
      this.#tokens.push(token);
    }
  }

  #newline(): void {
    if (this.#text[this.#at] === '\n') this.#at++;
    else if (this.#text.startsWith('\r\n', this.#at)) this.#at += 2;
  }

  /** What stands between `raw` and its end is text, whatever it looks like. */
  #raw(name: string, trims: boolean): boolean {
    const place = this.#place();
    const start = this.#at;
    const tag = new RegExp(`\\{%(-?)[ \\n\\t\\r]{0,100}(end)?${name}[ \\n\\t\\r]{0,100}(-?)%\\}`, 'g');
    tag.lastIndex = start;
    let depth = 1;
    for (let found = tag.exec(this.#text); found; found = tag.exec(this.#text)) {
      depth += found[2] === undefined ? 1 : -1;
      if (depth > 0) continue;
      let data = this.#text.slice(start, found.index);
      if (trims) data = data.trimStart();
      if (found[1] === '-') data = data.trimEnd();
      this.#tokens.push({ type: 'text', value: data, ...place });
      this.#at = tag.lastIndex;
      return found[3] === '-';
    }
    throw new TemplateProblem('unclosed', `expected end${name}, got end of file`, place);
  }

  #token(place: At): Token {
    const text = this.#text;
    const char = text.charAt(this.#at);
    if (char === '"' || char === "'") return { type: 'string', value: this.#string(char), ...place };
    if (char === 'r' && text[this.#at + 1] === '/') return { type: 'regex', ...this.#regex(), ...place };
    if (DELIMITERS.includes(char)) {
      const value = LONG_OPERATORS.find((long) => text.startsWith(long, this.#at)) ?? char;
      this.#at += value.length;
      return { type: 'operator', value, ...place };
    }
    const word = this.#word();
    if (!/^[0-9]+$/.test(word)) return { type: 'name', value: word, ...place };
    if (text[this.#at] !== '.') return { type: 'number', value: word, number: Number(word), ...place };
    const start = ++this.#at;
    while (/^[0-9]$/.test(text.charAt(this.#at))) this.#at++;
    const value = `${word}.${text.slice(start, this.#at)}`;
    return { type: 'number', value, number: Number.parseFloat(value), ...place };
  }

  #word(): string {
    const start = this.#at;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (BLANKS.includes(char) || DELIMITERS.includes(char)) break;
      this.#at++;
    }
    return this.#text.slice(start, this.#at);
  }

  #string(quote: string): string {
    const text = this.#text;
    let value = '';
    this.#at++;
    while (this.#at < text.length && text[this.#at] !== quote) {
      const char = text.charAt(this.#at++);
      if (char !== '\\') value += char;
      else {
        const escaped = text.charAt(this.#at++);
        value += ({ n: '\n', t: '\t', r: '\r' } as Readonly<Record<string, string>>)[escaped] ?? escaped;
      }
    }
    this.#at++;
    return value;
  }

  #regex(): { readonly value: string; readonly flags: string } {
    const text = this.#text;
    const start = this.#at + 2;
    let end = start;
    while (end < text.length && !(text[end] === '/' && text[end - 1] !== '\\')) end++;
    this.#at = Math.min(text.length, end + 1);
    const flags = /^[gimy]*/.exec(text.slice(this.#at, this.#at + 8))?.[0] ?? '';
    this.#at += flags.length;
    return { value: text.slice(start, end), flags };
  }

  #place(): At {
    for (let i = this.#counted; i < this.#at; i++) {
      if (this.#text.charCodeAt(i) !== 10) continue;
      this.#line++;
      this.#lineStart = i + 1;
    }
    this.#counted = Math.max(this.#counted, this.#at);
    return { line: this.#line, col: this.#at - this.#lineStart + 1 };
  }
}

const RAW: ReadonlySet<string> = new Set(['raw', 'verbatim']);
