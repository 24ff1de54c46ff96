import type { Place } from '../../../errors.ts';
import { quoted } from '../../../site/finding.ts';
import { invalid } from '../../invalid.ts';
import { Lexer, type Token } from './lexer.ts';

/** Blocks and expressions that stand in one another: more than any configuration has, less than the stack bears. */
const DEEPEST = 100;

/** Walks over the tokens of one file and says what was expected where something else stands. Throws IMPORT_INVALID. */
export class Cursor {
  readonly #lexer: Lexer;
  #depth = 0;

  constructor(file: string, text: string) {
    this.#lexer = new Lexer(file, text);
  }

  peek(): Token {
    return this.#lexer.peek();
  }

  take(): Token {
    return this.#lexer.take();
  }

  /** Whether the next token is this sign, or this word in either case. */
  at(text: string): boolean {
    const { kind, text: next } = this.peek();
    return kind === 'sign' ? next === text : kind === 'word' && next.toLowerCase() === text;
  }

  /** Takes the next token if it is this sign or word. */
  skip(text: string): boolean {
    if (!this.at(text)) return false;
    this.take();
    return true;
  }

  /** Takes this sign or word; `why` says what it is for. */
  expect(text: string, why: string, hint?: string): Token {
    if (!this.at(text)) throw this.expected(`"${text}" ${why}`, hint);
    return this.take();
  }

  word(what: string): string {
    if (this.peek().kind !== 'word') throw this.expected(what);
    return this.take().text;
  }

  text(what: string): string {
    if (this.peek().kind !== 'text') throw this.expected(`${what} in quotes`);
    return this.take().text;
  }

  /** A name, with or without quotes. */
  name(what: string): string {
    return this.peek().kind === 'text' ? this.take().text : this.word(what);
  }

  /** Takes the `;` that ends a statement which began at `start`. */
  semicolon(start: Place): void {
    if (this.skip(';')) return;
    const hint = this.peek().place.line === start.line ? undefined : `the statement of line ${start.line} has no ";"`;
    throw this.expected('";" at the end of the statement', hint);
  }

  /** An error at the next token: what should stand there, and what does. */
  expected(what: string, hint?: string): Error {
    const { kind, text, place } = this.peek();
    const found = kind === 'end' ? 'the end of the file' : quoted(text);
    return invalid(place, `expected ${what}, found ${found}`, hint);
  }

  /** Runs `read` one level deeper. */
  nested<T>(read: () => T): T {
    if (this.#depth >= DEEPEST) throw invalid(this.peek().place, 'nested too deeply', `at most ${DEEPEST} levels`);
    this.#depth++;
    try {
      return read();
    } finally {
      this.#depth--;
    }
  }

  /** After an error: goes behind the `;` or the block that ends the statement, but not beyond the `}` around it. */
  recover(): void {
    for (let open = 0; this.peek().kind !== 'end'; ) {
      if (open === 0 && this.at('}')) return;
      const { kind, text } = this.take();
      if (kind !== 'sign') continue;
      if (text === '{') open++;
      else if (text === '}' && --open === 0) return;
      else if (text === ';' && open === 0) return;
    }
  }
}
