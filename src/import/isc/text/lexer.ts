import type { Place } from '../../../errors.ts';
import { invalid } from '../../invalid.ts';

/**
 * One token of dhcpd.conf. A word is letters, digits, `-` and `_`: names, numbers and the parts of addresses alike. A text
 * stood in quotes. `glued`: nothing stands between it and the token before.
 */
export type Token = {
  readonly kind: 'word' | 'text' | 'sign' | 'end';
  readonly text: string;
  readonly place: Place;
  readonly glued: boolean;
  /** Of a text: it was written with escapes for bytes, so that each character is one byte. */
  readonly escaped?: boolean;
};

const BLANK = /[ \t\r\n\f\v]*/y;
const COMMENT = /#[^\n]*/y;
const WORD = /[A-Za-z0-9_-]+/y;
const ESCAPES: { readonly [letter: string]: string } = { t: '\t', r: '\r', n: '\n', b: '\b' };

/** Cuts the text of one file into tokens, one at a time. */
export class Lexer {
  readonly #file: string;
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #newline: number;
  #next: Token;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    this.#newline = newlineFrom(text, 0);
    this.#next = this.#read();
  }

  /** The token that comes next, left where it is. */
  peek(): Token {
    return this.#next;
  }

  /** Takes the next token. Throws IMPORT_INVALID where the one behind it is no token. */
  take(): Token {
    const token = this.#next;
    if (token.kind !== 'end') this.#next = this.#read();
    return token;
  }

  #read(): Token {
    const from = this.#at;
    this.#skipBlanks();
    const glued = this.#at === from && from > 0;
    const place = { file: this.#file, line: this.#line, col: this.#at - this.#lineStart + 1 };
    const sign = this.#text[this.#at];
    if (sign === undefined) return { kind: 'end', text: '', place, glued };
    if (sign === '"') return this.#quoted(place, glued);
    const text = match(WORD, this.#text, this.#at) || String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    this.#advance(text.length);
    return { kind: /^[A-Za-z0-9_-]/.test(text) ? 'word' : 'sign', text, place, glued };
  }

  /** Blanks and comments, one after the other: an expression for all of them would exhaust the stack. */
  #skipBlanks(): void {
    for (;;) {
      this.#advance(match(BLANK, this.#text, this.#at).length);
      if (this.#text[this.#at] !== '#') return;
      this.#advance(match(COMMENT, this.#text, this.#at).length);
    }
  }

  /** A text in quotes, with the escapes of dhcp-eval(5): \t \r \n \b, \nnn in octal, \xnn in hex, any other sign itself. */
  #quoted(place: Place, glued: boolean): Token {
    const parts: string[] = [];
    let escaped = false;
    let at = this.#at + 1;
    for (;;) {
      const stop = at + match(/[^"\\]*/y, this.#text, at).length;
      parts.push(this.#text.slice(at, stop));
      const sign = this.#text[stop];
      if (sign === '"') {
        this.#advance(stop + 1 - this.#at);
        return { kind: 'text', text: parts.join(''), place, glued, ...(escaped ? { escaped } : {}) };
      }
      if (sign === undefined || stop + 1 >= this.#text.length) {
        this.#advance(this.#text.length - this.#at);
        throw invalid(place, 'this text has no closing quote', 'end it with "');
      }
      const byte = match(/[0-3][0-7]{0,2}|x[0-9A-Fa-f]{1,2}/y, this.#text, stop + 1);
      const letter = this.#text[stop + 1] ?? '';
      escaped ||= byte !== '';
      if (byte.startsWith('x')) parts.push(String.fromCharCode(Number.parseInt(byte.slice(1), 16)));
      else if (byte !== '') parts.push(String.fromCharCode(Number.parseInt(byte, 8)));
      else parts.push(ESCAPES[letter] ?? letter);
      at = stop + 1 + Math.max(byte.length, 1);
    }
  }

  #advance(length: number): void {
    this.#at += length;
    while (this.#newline < this.#at) {
      this.#line++;
      this.#lineStart = this.#newline + 1;
      this.#newline = newlineFrom(this.#text, this.#lineStart);
    }
  }
}

/** Where the next line feed stands; beyond every place if there is none. */
function newlineFrom(text: string, at: number): number {
  const found = text.indexOf('\n', at);
  return found === -1 ? Number.POSITIVE_INFINITY : found;
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}
