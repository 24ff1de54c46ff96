import type {
  Arguments,
  BinaryOperator,
  CompareOperator,
  Comparison,
  Expression,
  Parameter,
  Statement,
} from './ast.ts';
import { type Token, tokensOf } from './lexer.ts';
import { type At, TemplateProblem } from './problem.ts';

/** A longer template is no text of an operator's. */
const LONGEST_TEMPLATE = 1024 * 1024;
const DEEPEST = 200;

/** Reads a template. Throws a TemplateProblem with its place. */
export function parse(text: string): readonly Statement[] {
  const start = { line: 1, col: 1 };
  if (text.length > LONGEST_TEMPLATE) {
    throw new TemplateProblem('too-long', `a template is at most ${LONGEST_TEMPLATE >> 20} MiB long`, start);
  }
  return new Parser(tokensOf(text)).template();
}

/** From the loosest to the tightest; those of one line go from left to right. */
const BINARY: readonly (readonly BinaryOperator[])[] = [['~', '+', '-'], ['*', '/', '//', '%'], ['**']];
const COMPARE: ReadonlySet<string> = new Set<CompareOperator>(['==', '===', '!=', '!==', '<', '>', '<=', '>=']);
const LITERALS: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
  ['null', null],
]);

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  template(): readonly Statement[] {
    const body = this.#body([]);
    const { line, col } = this.#peek();
    if (this.#peek().type !== 'end') throw this.#unexpected({ line, col });
    return body;
  }

  /** Statements up to a block tag whose name is among `ends`; that tag's opening is taken, its name is next. */
  #body(ends: readonly string[]): readonly Statement[] {
    return this.#deeper(() => {
      const body: Statement[] = [];
      for (;;) {
        const token = this.#peek();
        const at = placeOf(token);
        if (token.type === 'end') {
          if (ends.length === 0) return body;
          throw new TemplateProblem('unclosed', `expected ${ends.at(-1)}, got end of file`, at);
        }
        this.#at++;
        if (token.type === 'text') {
          if (token.value !== '') body.push({ kind: 'text', text: token.value, ...at });
        } else if (token.type === 'open' && token.tag === 'print') {
          const value = this.#expression();
          this.#close('print');
          body.push({ kind: 'print', value, ...at });
        } else if (token.type === 'open') {
          const name = this.#peek();
          if (name.type !== 'name') throw this.#wrong('tag name expected', name);
          if (ends.includes(name.value)) return body;
          this.#at++;
          const statement = this.#statement(name.value, at, name);
          if (statement) body.push(statement);
        } else throw this.#wrong(`unexpected token: ${token.value}`, token);
      }
    });
  }

  #statement(name: string, at: At, tag: Token): Statement | undefined {
    switch (name) {
      case 'raw':
      case 'verbatim':
        this.#close('block');
        return undefined;
      case 'if':
        return this.#if(at);
      case 'for':
        return this.#for(at);
      case 'set':
        return this.#set(at);
      case 'macro':
        return this.#macro(at);
      case 'call':
        return this.#call(at);
      case 'filter':
        return this.#filterBlock(at);
      case 'block':
        return this.#block(at);
      case 'switch':
        return this.#switch(at);
      case 'include':
      case 'import':
      case 'from':
      case 'extends':
        return this.#otherTemplate(at);
      default:
        throw this.#wrong(`unknown block tag: ${name}`, tag);
    }
  }

  #if(at: At): Statement {
    return this.#deeper(() => {
      const condition = this.#expression();
      this.#close('block');
      const then = this.#body(['elif', 'elseif', 'else', 'endif']);
      const next = this.#name();
      if (next === 'elif' || next === 'elseif') {
        return { kind: 'if', condition, then, otherwise: [this.#if(at)], ...at };
      }
      this.#close('block');
      if (next === 'endif') return { kind: 'if', condition, then, otherwise: [], ...at };
      return { kind: 'if', condition, then, otherwise: this.#rest('endif'), ...at };
    });
  }

  #for(at: At): Statement {
    const names = [this.#name()];
    while (this.#takes(',')) names.push(this.#name());
    if (!this.#takesName('in')) throw this.#wrong('parseFor: expected "in" keyword for loop', this.#peek());
    const of = this.#expression();
    this.#close('block');
    const body = this.#body(['else', 'endfor']);
    const next = this.#name();
    this.#close('block');
    const otherwise = next === 'else' ? this.#rest('endfor') : [];
    return { kind: 'for', names, of, body, otherwise, ...at };
  }

  #set(at: At): Statement {
    const names = [this.#name()];
    while (this.#takes(',')) names.push(this.#name());
    if (this.#takes('=')) {
      const value = this.#expression();
      this.#close('block');
      return { kind: 'set', names, value, ...at };
    }
    if (this.#peek().type !== 'close') throw this.#wrong('parseSet: expected = or block end in set tag', this.#peek());
    this.#close('block');
    return { kind: 'set', names, value: { kind: 'capture', body: this.#rest('endset'), ...at }, ...at };
  }

  #macro(at: At): Statement {
    const name = this.#name();
    const parameters = this.#parameters();
    this.#close('block');
    return { kind: 'macro', name, parameters, body: this.#rest('endmacro'), ...at };
  }

  /** `call` gives a macro its body as `caller`. */
  #call(at: At): Statement {
    const parameters = this.#peek().value === '(' ? this.#parameters() : [];
    const called = this.#primary();
    if (called.kind !== 'call') throw this.#wrong('a call block calls a macro', at);
    this.#close('block');
    const caller: Expression = { kind: 'caller', parameters, body: this.#rest('endcall'), ...at };
    const { values, named } = called.args;
    return { kind: 'print', value: { ...called, args: { values, named: [...named, ['caller', caller]] } }, ...at };
  }

  #filterBlock(at: At): Statement {
    const place = placeOf(this.#peek());
    const name = this.#filterName();
    const args = this.#peek().value === '(' ? this.#arguments() : NO_ARGUMENTS;
    this.#close('block');
    const of: Expression = { kind: 'capture', body: this.#rest('endfilter'), ...at };
    return { kind: 'print', value: { kind: 'filter', name, of, args, ...place }, ...at };
  }

  #block(at: At): Statement {
    const name = this.#name();
    this.#close('block');
    const body = this.#body(['endblock']);
    this.#at++;
    this.#takesName(name);
    this.#close('block');
    return { kind: 'block', body, ...at };
  }

  #switch(at: At): Statement {
    const of = this.#expression();
    this.#close('block');
    const ends = ['case', 'default', 'endswitch'];
    this.#body(ends);
    const cases: { value: Expression; body: readonly Statement[] }[] = [];
    for (;;) {
      const next = this.#name();
      if (next === 'case') {
        const value = this.#expression();
        this.#close('block');
        cases.push({ value, body: this.#body(ends) });
        continue;
      }
      this.#close('block');
      return { kind: 'switch', of, cases, otherwise: next === 'default' ? this.#rest('endswitch') : [], ...at };
    }
  }

  #otherTemplate(at: At): Statement | undefined {
    let words = '';
    while (this.#peek().type !== 'close' && this.#peek().type !== 'end') words += ` ${this.#next().value}`;
    this.#close('block');
    return words.endsWith(' ignore missing') ? undefined : { kind: 'other-template', ...at };
  }

  /** A body, and the tag `end` behind it. */
  #rest(end: string): readonly Statement[] {
    const body = this.#body([end]);
    this.#at++;
    this.#close('block');
    return body;
  }

  #parameters(): readonly Parameter[] {
    if (!this.#takes('(')) throw this.#wrong('expected arguments', this.#peek());
    const parameters: Parameter[] = [];
    while (!this.#takes(')')) {
      if (parameters.length > 0 && !this.#takes(',')) {
        throw this.#wrong('parseSignature: expected comma after expression', this.#peek());
      }
      const name = this.#name();
      parameters.push(this.#takes('=') ? { name, otherwise: this.#expression() } : { name });
    }
    return parameters;
  }

  #arguments(): Arguments {
    if (!this.#takes('(')) throw this.#wrong('expected arguments', this.#peek());
    const values: Expression[] = [];
    const named: (readonly [string, Expression])[] = [];
    while (!this.#takes(')')) {
      if (values.length + named.length > 0 && !this.#takes(',')) {
        throw this.#wrong('parseSignature: expected comma after expression', this.#peek());
      }
      const value = this.#expression();
      if (!this.#takes('=')) values.push(value);
      else if (value.kind === 'name') named.push([value.name, this.#expression()]);
      else throw this.#wrong('an argument goes by a name', value);
    }
    return { values, named };
  }

  #expression(): Expression {
    return this.#deeper(() => {
      const then = this.#or();
      if (!this.#takesName('if')) return then;
      const condition = this.#or();
      const at = placeOf(then);
      if (!this.#takesName('else')) return { kind: 'choice', condition, then, ...at };
      return { kind: 'choice', condition, then, otherwise: this.#expression(), ...at };
    });
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#takesName('or')) left = { kind: 'or', left, right: this.#and(), ...placeOf(left) };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#takesName('and')) left = { kind: 'and', left, right: this.#not(), ...placeOf(left) };
    return left;
  }

  #not(): Expression {
    const at = placeOf(this.#peek());
    if (!this.#takesName('not')) return this.#in();
    return this.#deeper(() => ({ kind: 'not', of: this.#not(), ...at }));
  }

  #in(): Expression {
    let left = this.#is();
    for (;;) {
      const at = placeOf(left);
      const inverted = this.#isName('not') && this.#isName('in', 1);
      if (inverted) this.#at++;
      if (!this.#takesName('in')) return left;
      left = { kind: 'in', left, right: this.#is(), ...at };
      if (inverted) left = { kind: 'not', of: left, ...at };
    }
  }

  #is(): Expression {
    const of = this.#compare();
    if (!this.#takesName('is')) return of;
    const at = placeOf(of);
    const inverted = this.#takesName('not');
    const token = this.#next();
    if (token.type !== 'name' && token.type !== 'operator')
      throw this.#wrong(`unexpected token: ${token.value}`, token);
    const args = this.#peek().value === '(' ? this.#arguments() : NO_ARGUMENTS;
    const test: Expression = { kind: 'test', name: token.value, of, args, ...at };
    return inverted ? { kind: 'not', of: test, ...at } : test;
  }

  #compare(): Expression {
    const first = this.#binary(0);
    const rest: Comparison[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.type !== 'operator' || !COMPARE.has(token.value)) break;
      this.#at++;
      rest.push({ operator: token.value as CompareOperator, right: this.#binary(0) });
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest, ...placeOf(first) };
  }

  #binary(level: number): Expression {
    const operators = BINARY[level];
    if (operators === undefined) return this.#unary(true);
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = operators.find((one) => this.#takes(one));
      if (operator === undefined) return left;
      left = { kind: 'binary', operator, left, right: this.#binary(level + 1), ...placeOf(left) };
    }
  }

  #unary(filters: boolean): Expression {
    const at = placeOf(this.#peek());
    const minus = this.#takes('-');
    let of: Expression;
    if (minus || this.#takes('+')) {
      of = this.#deeper(() => ({ kind: minus ? 'negative' : 'positive', of: this.#unary(false), ...at }));
    } else of = this.#primary();
    while (filters && this.#peek().value === '|' && this.#peek().type === 'operator') {
      const place = placeOf(this.#next());
      const name = this.#filterName();
      const args = this.#peek().value === '(' && this.#peek().type === 'operator' ? this.#arguments() : NO_ARGUMENTS;
      of = { kind: 'filter', name, of, args, ...place };
    }
    return of;
  }

  #filterName(): string {
    let name = this.#name();
    while (this.#takes('.')) name += `.${this.#name()}`;
    return name;
  }

  #primary(): Expression {
    let of = this.#atom();
    for (;;) {
      const token = this.#peek();
      const at = placeOf(token);
      if (token.type !== 'operator') return of;
      if (token.value === '(') of = { kind: 'call', of, args: this.#arguments(), ...at };
      else if (this.#takes('[')) {
        const key = this.#expression();
        if (!this.#takes(']')) throw this.#wrong('invalid index', this.#peek());
        of = { kind: 'member', of, key, ...at };
      } else if (this.#takes('.')) {
        const name = this.#next();
        if (name.type !== 'name') throw this.#wrong(`expected name as lookup value, got ${name.value}`, name);
        of = { kind: 'member', of, key: { kind: 'literal', value: name.value, ...placeOf(name) }, ...at };
      } else return of;
    }
  }

  #atom(): Expression {
    const token = this.#next();
    const at = placeOf(token);
    if (token.type === 'string') return { kind: 'literal', value: token.value, ...at };
    if (token.type === 'number') return { kind: 'literal', value: token.number, ...at };
    if (token.type === 'regex') return { kind: 'regex', source: token.value, flags: token.flags, ...at };
    if (token.type === 'name') {
      const literal = LITERALS.get(token.value);
      return literal === undefined
        ? { kind: 'name', name: token.value, ...at }
        : { kind: 'literal', value: literal, ...at };
    }
    if (token.type === 'operator' && token.value === '[') return { kind: 'list', items: this.#items(']').items, ...at };
    if (token.type === 'operator' && token.value === '{') return { kind: 'map', entries: this.#entries(), ...at };
    if (token.type === 'operator' && token.value === '(') {
      const { items, comma } = this.#items(')');
      const [only] = items;
      if (only === undefined) throw this.#wrong('unexpected token: )', at);
      return items.length === 1 && !comma ? only : { kind: 'list', items, ...at };
    }
    if (token.type === 'end') throw new TemplateProblem('unclosed', 'expected expression, got end of file', at);
    throw this.#wrong(`unexpected token: ${token.value}`, token);
  }

  #items(end: string): { readonly items: readonly Expression[]; readonly comma: boolean } {
    const items: Expression[] = [];
    let comma = false;
    while (!this.#takes(end)) {
      if (items.length > 0 && !comma)
        throw this.#wrong('parseAggregate: expected comma after expression', this.#peek());
      items.push(this.#expression());
      comma = this.#takes(',');
    }
    return { items, comma };
  }

  #entries(): readonly (readonly [string, Expression])[] {
    const entries: (readonly [string, Expression])[] = [];
    let comma = true;
    while (!this.#takes('}')) {
      if (!comma) throw this.#wrong('parseAggregate: expected comma after expression', this.#peek());
      const key = this.#next();
      if (key.type !== 'string' && key.type !== 'name') {
        throw this.#wrong('compilePair: Dict keys must be strings or names', key);
      }
      if (!this.#takes(':')) throw this.#wrong('parseAggregate: expected colon after dict key', this.#peek());
      entries.push([key.value, this.#expression()]);
      comma = this.#takes(',');
    }
    return entries;
  }

  #close(tag: 'block' | 'print'): void {
    const token = this.#peek();
    if (token.type === 'close' && token.tag === tag) this.#at++;
    else if (token.type === 'end') throw new TemplateProblem('unclosed', 'unexpected end of file', placeOf(token));
    else throw this.#wrong(tag === 'print' ? 'expected variable end' : 'expected block end', token);
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? this.#last();
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #last(): Token {
    return this.#tokens.at(-1) ?? { type: 'end', value: 'end of file', line: 1, col: 1 };
  }

  #name(): string {
    const token = this.#next();
    if (token.type === 'name') return token.value;
    if (token.type === 'end') throw new TemplateProblem('unclosed', 'expected a name, got end of file', placeOf(token));
    throw this.#wrong(
      `unexpected token: ${token.type === 'open' || token.type === 'text' ? token.type : token.value}`,
      token,
    );
  }

  #takes(operator: string): boolean {
    const token = this.#peek();
    if (token.type !== 'operator' || token.value !== operator) return false;
    this.#at++;
    return true;
  }

  #isName(name: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.type === 'name' && token.value === name;
  }

  #takesName(name: string): boolean {
    if (!this.#isName(name)) return false;
    this.#at++;
    return true;
  }

  #unexpected(at: At): TemplateProblem {
    return this.#wrong('unexpected token', at);
  }

  #wrong(words: string, at: At): TemplateProblem {
    return new TemplateProblem('other', words, placeOf(at));
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > DEEPEST) {
      throw new TemplateProblem('too-deep', 'the template is nested too deeply', placeOf(this.#peek()));
    }
    try {
      return read();
    } finally {
      this.#depth--;
    }
  }
}

const NO_ARGUMENTS: Arguments = { values: [], named: [] };

function placeOf({ line, col }: At): At {
  return { line, col };
}
