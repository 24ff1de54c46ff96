import type { Place } from '../../../errors.ts';
import { didYouMean, quoted } from '../../../site/finding.ts';
import { invalid, Problems } from '../../invalid.ts';
import { readActions } from './actions.ts';
import { Cursor } from './cursor.ts';
import { hexBytes, readData, readDatum } from './data.ts';
import { readExpression, STARTS_EXPRESSION } from './expressions.ts';
import { checkForm } from './forms.ts';
import { misplacedStatements } from './misplaced.ts';
import { readOption } from './optionStatements.ts';
import { readPermit } from './permits.ts';
import { ACTIONS, FOREIGN, KEYWORDS, PARAMETERS } from './statements.ts';
import type { Branch, Case, Datum, Statement, Value } from './tree.ts';
import { undefinedOptions } from './undefined.ts';

/** The text of a file that a configuration includes. Throws IMPORT_INVALID at `place` if it is not to be had. */
export type Includes = (name: string, place: Place) => { readonly file: string; readonly text: string };

const MOST_PROBLEMS = 50;

/**
 * Reads dhcpd.conf: `text` is what stands in `file`, `includes` finds what it includes. Throws one IMPORT_INVALID that
 * tells of all that is wrong, at the place of the first; so are statements where dhcpd takes none of their kind, and options
 * that are used before they are defined.
 */
export function parseConfiguration(file: string, text: string, includes: Includes): readonly Statement[] {
  const statements = parseStatements(file, text, includes);
  const problems = new Problems();
  for (const problem of misplacedStatements(statements)) problems.add(problem);
  for (const problem of undefinedOptions(statements)) problems.add(problem);
  problems.throwAll();
  return statements;
}

/** The same by form alone: options are what they are called. */
export function parseStatements(file: string, text: string, includes: Includes): readonly Statement[] {
  const parser = new Parser(includes);
  const statements = parser.file(file, text);
  parser.problems.throwAll();
  return statements;
}

class Parser {
  readonly problems = new Problems();
  readonly #includes: Includes;
  #cursor = new Cursor('', '');
  /** Where the subnet begins that is being read. */
  #inSubnet: Place | undefined;
  /** Files that are being read, outermost first. */
  readonly #open: string[] = [];

  constructor(includes: Includes) {
    this.#includes = includes;
  }

  /** The statements of a whole file. */
  file(file: string, text: string): readonly Statement[] {
    const outer = this.#cursor;
    this.#open.push(file);
    const statements: Statement[] = [];
    try {
      this.#cursor = new Cursor(file, text);
      while (this.#cursor.peek().kind !== 'end') {
        for (const statement of this.#statements()) statements.push(statement);
        if (!this.#cursor.at('}')) continue;
        this.problems.add(this.#cursor.expected('a statement', 'this "}" closes nothing'));
        this.#cursor.take();
      }
    } catch (problem) {
      // The file's very first token was none.
      this.problems.add(problem);
    } finally {
      this.#open.pop();
      this.#cursor = outer;
    }
    return statements;
  }

  /** Statements up to the `}` around them or the end of the file; what cannot be read is noted and passed over. */
  #statements(): Statement[] {
    const statements: Statement[] = [];
    while (this.#cursor.peek().kind !== 'end' && !this.#cursor.at('}')) {
      try {
        for (const statement of this.#cursor.nested(() => this.#statement())) statements.push(statement);
      } catch (problem) {
        this.problems.add(problem);
        if (this.problems.count >= MOST_PROBLEMS) this.problems.throwAll();
        this.#recover();
      }
    }
    return statements;
  }

  #recover(): void {
    for (;;) {
      try {
        this.#cursor.recover();
        return;
      } catch (problem) {
        this.problems.add(problem);
      }
    }
  }

  #body(what: string, start: Place): readonly Statement[] {
    const cursor = this.#cursor;
    cursor.expect('{', `after ${what}`);
    const body = this.#statements();
    if (!cursor.skip('}')) throw cursor.expected('"}"', `the block of ${what} in line ${start.line} is not closed`);
    // ISC lets a semicolon stand behind a block.
    cursor.skip(';');
    return body;
  }

  #statement(): readonly Statement[] {
    const cursor = this.#cursor;
    if (cursor.skip(';')) return [];
    const { kind, text, place } = cursor.peek();
    if (kind !== 'word') throw cursor.expected('a statement');
    const keyword = text.toLowerCase();
    const reader = this.#readers[keyword];
    if (reader !== undefined) {
      cursor.take();
      return reader(place, keyword);
    }
    if (PARAMETERS.has(keyword)) return [this.#parameter(place, keyword)];
    if (ACTIONS.has(keyword)) return [readActions(cursor, keyword, () => this.#body(`"${keyword}"`, place))];
    if (/^ldap-/.test(keyword)) {
      const hint = 'export the directory to a dhcpd.conf and import that';
      throw invalid(place, 'this configuration is kept in an LDAP directory, which cannot be read', hint);
    }
    cursor.take();
    const hint = didYouMean(keyword, KEYWORDS);
    if (cursor.skip('=')) {
      const expression = readExpression(cursor);
      cursor.semicolon(place);
      return [{ kind: 'action', keyword: 'set', words: `${text} = ...`, expressions: [expression], place }];
    }
    if (cursor.skip(';')) return [{ kind: 'lone', word: text, place, ...(hint === undefined ? {} : { hint }) }];
    throw invalid(place, `dhcpd.conf has no statement ${quoted(text)}`, hint);
  }

  readonly #readers: { readonly [keyword: string]: (place: Place, keyword: string) => readonly Statement[] } = {
    __proto__: null as never,
    include: (place) => this.#include(place),
    'shared-network': (place) => this.#named('shared-network', place),
    host: (place) => this.#named('host', place),
    class: (place) => this.#named('class', place),
    'vendor-class': (place) => this.#named('class', place),
    'user-class': (place) => this.#named('class', place),
    subclass: (place) => this.#subclass(place),
    group: (place) => this.#group(place),
    pool: (place) => [{ kind: 'pool', body: this.#body('"pool"', place), place }],
    subnet: (place) => this.#subnet(place),
    subnet6: (place, keyword) => this.#foreignScope(place, keyword),
    pool6: (place, keyword) => this.#foreignScope(place, keyword),
    failover: (place) => this.#failover(place),
    key: (place, keyword) => this.#foreignBlock(place, keyword, this.#cursor.name("a key's name")),
    zone: (place, keyword) => this.#foreignBlock(place, keyword, readDatum(this.#cursor, "a zone's name").text),
    range: (place) => this.#range(place),
    hardware: (place) => this.#hardware(place),
    option: (place) => this.#ended(readOption(this.#cursor, place), place),
    append: (place) => this.#ended(readOption(this.#cursor, place, 'append'), place),
    prepend: (place) => this.#ended(readOption(this.#cursor, place, 'prepend'), place),
    supersede: (place) => this.#ended(readOption(this.#cursor, place, 'supersede'), place),
    default: (place) => this.#ended(readOption(this.#cursor, place, 'default'), place),
    allow: (place) => this.#ended({ kind: 'permit', verb: 'allow', what: readPermit(this.#cursor), place }, place),
    deny: (place) => this.#ended({ kind: 'permit', verb: 'deny', what: readPermit(this.#cursor), place }, place),
    ignore: (place) => this.#ended({ kind: 'permit', verb: 'ignore', what: readPermit(this.#cursor), place }, place),
    authoritative: (place) => this.#ended({ kind: 'authoritative', not: false, place }, place),
    not: (place) => {
      this.#cursor.expect('authoritative', 'after "not"');
      return this.#ended({ kind: 'authoritative', not: true, place }, place);
    },
    match: (place) => {
      const condition = this.#cursor.skip('if');
      return this.#ended({ kind: 'match', condition, expression: readExpression(this.#cursor), place }, place);
    },
    spawn: (place) => {
      this.#cursor.expect('with', 'after "spawn"');
      return this.#ended({ kind: 'spawn', expression: readExpression(this.#cursor), place }, place);
    },
    lease: (place) => {
      this.#cursor.expect('limit', 'after "lease"');
      return this.#ended({ kind: 'lease-limit', limit: readDatum(this.#cursor, 'a number of leases'), place }, place);
    },
    if: (place) => this.#if(place),
    switch: (place) => this.#switch(place),
    on: (place) => this.#on(place),
  };

  #ended(statement: Statement, start: Place): readonly Statement[] {
    this.#cursor.semicolon(start);
    return [statement];
  }

  #include(place: Place): readonly Statement[] {
    const target = this.#cursor.peek().place;
    const name = this.#cursor.text('the name of a file');
    this.#cursor.semicolon(place);
    const { file, text } = this.#includes(name, target);
    if (this.#open.includes(file)) {
      throw invalid(target, `${quoted(name)} includes itself`, [...this.#open, file].join(' -> '));
    }
    return this.file(file, text);
  }

  #named(kind: 'shared-network' | 'host' | 'class', place: Place): readonly Statement[] {
    const name =
      kind === 'host'
        ? readDatum(this.#cursor, 'the name of the host').text
        : this.#cursor.name(`the name of the ${kind}`);
    return [{ kind, name, body: this.#body(`${kind} ${name}`, place), place }];
  }

  #group(place: Place): readonly Statement[] {
    const cursor = this.#cursor;
    if (cursor.at('{')) return [{ kind: 'group', body: this.#body('"group"', place), place }];
    const name = cursor.name('the group\'s name or "{"');
    // In a host, `group NAME;` puts it into a group.
    if (cursor.at(';'))
      return this.#ended({ kind: 'parameter', keyword: 'group', value: dataOf(name, place), place }, place);
    return [{ kind: 'group', name, body: this.#body(`group ${name}`, place), place }];
  }

  #subnet(place: Place): readonly Statement[] {
    const around = this.#inSubnet;
    if (around !== undefined) {
      throw invalid(place, 'a subnet cannot stand in another', `the block of line ${around.line} is not closed`);
    }
    this.#inSubnet = place;
    try {
      return this.#subnetHere(place);
    } finally {
      this.#inSubnet = undefined;
    }
  }

  #subnetHere(place: Place): readonly Statement[] {
    const base = checkForm('address', readDatum(this.#cursor, 'the address of the subnet'));
    this.#cursor.expect('netmask', `after "subnet ${base.text}"`);
    const netmask = checkForm('address', readDatum(this.#cursor, 'a netmask'));
    return [{ kind: 'subnet', base, netmask, body: this.#body(`subnet ${base.text}`, place), place }];
  }

  #subclass(place: Place): readonly Statement[] {
    const of = this.#cursor.name('the name of the class');
    const data = readExpression(this.#cursor);
    if (!this.#cursor.at('{')) return this.#ended({ kind: 'subclass', of, data, place }, place);
    return [{ kind: 'subclass', of, data, body: this.#body(`subclass ${of}`, place), place }];
  }

  #range(place: Place): readonly Statement[] {
    const cursor = this.#cursor;
    const bootp = cursor.skip('dynamic-bootp');
    const first = checkForm('address', readDatum(cursor, 'the first address of the range'));
    const last = cursor.at(';') ? first : checkForm('address', readDatum(cursor, 'the last address of the range'));
    return this.#ended({ kind: 'range', bootp, first, last, place }, place);
  }

  #hardware(place: Place): readonly Statement[] {
    const type = this.#cursor.word('a hardware type such as ethernet').toLowerCase();
    // dhcpd takes a type without an address too.
    const { place: at } = this.#cursor.peek();
    const address: Datum = this.#cursor.at(';')
      ? { kind: 'words', text: '', place: at }
      : readDatum(this.#cursor, 'a hardware address');
    // dhcpd takes digits without colons too: they are no card's address.
    if (!/^[0-9A-Fa-f]*$/.test(address.text)) hexBytes(address);
    return this.#ended({ kind: 'hardware', type, address, place }, place);
  }

  #parameter(place: Place, keyword: string): Statement {
    const cursor = this.#cursor;
    cursor.take();
    const { form } = PARAMETERS.get(keyword) ?? { form: 'any' };
    const value: Value =
      cursor.skip('=') || (keyword !== 'host-identifier' && STARTS_EXPRESSION.has(cursor.peek().text.toLowerCase()))
        ? { expression: readExpression(cursor) }
        : { data: readData(cursor) };
    if ('data' in value && form !== 'any') {
      const items = value.data.flat();
      if (items.length === 0) throw cursor.expected(`a value for ${keyword}`);
      if (form !== 'addresses' && items.length > 1)
        throw invalid(items[1]?.place ?? place, `${keyword} takes one value`);
      for (const item of items) checkForm(form === 'addresses' ? 'address' : form, item);
    }
    cursor.semicolon(place);
    return { kind: 'parameter', keyword, value, place };
  }

  #if(place: Place): readonly Statement[] {
    const branches: Branch[] = [];
    const branch = () => {
      const condition = readExpression(this.#cursor);
      branches.push({ condition, body: this.#body('the condition', place) });
    };
    branch();
    for (;;) {
      if (this.#cursor.skip('elsif')) branch();
      else if (!this.#cursor.skip('else')) break;
      else if (this.#cursor.skip('if')) branch();
      else {
        branches.push({ body: this.#body('"else"', place) });
        break;
      }
    }
    return [{ kind: 'if', branches, place }];
  }

  #switch(place: Place): readonly Statement[] {
    const cursor = this.#cursor;
    cursor.expect('(', 'after "switch"');
    const on = readExpression(cursor);
    cursor.expect(')', 'after the expression');
    cursor.expect('{', 'before the cases');
    const cases: Case[] = [];
    while (!cursor.skip('}')) {
      if (cursor.skip('default')) {
        cursor.expect(':', 'after "default"');
        cases.push({ body: this.#caseBody() });
        continue;
      }
      cursor.expect('case', 'before the value');
      const is = readExpression(cursor);
      if (!('endsInColon' in is)) cursor.expect(':', 'after the value');
      cases.push({ is, body: this.#caseBody() });
    }
    return [{ kind: 'switch', on, cases, place }];
  }

  #caseBody(): readonly Statement[] {
    const body: Statement[] = [];
    while (!this.#cursor.at('case') && !this.#cursor.at('default') && !this.#cursor.at('}')) {
      for (const statement of this.#cursor.nested(() => this.#statement())) body.push(statement);
    }
    return body;
  }

  #on(place: Place): readonly Statement[] {
    const events: string[] = [];
    do {
      if (!['commit', 'release', 'expiry'].some((event) => this.#cursor.at(event))) {
        throw this.#cursor.expected('commit, release or expiry');
      }
      events.push(this.#cursor.take().text.toLowerCase());
    } while (this.#cursor.skip('or') || this.#cursor.skip('|'));
    // dhcpd takes an event for which nothing runs.
    if (this.#cursor.skip(';')) return [{ kind: 'on', events, body: [], place }];
    return [{ kind: 'on', events, body: this.#body(`on ${events.join(' or ')}`, place), place }];
  }

  #failover(place: Place): readonly Statement[] {
    this.#cursor.expect('peer', 'after "failover"');
    const name = this.#cursor.name("the peer's name");
    if (this.#cursor.at(';')) return this.#ended({ kind: 'foreign', keyword: 'failover', name, place }, place);
    return this.#foreignBlock(place, 'failover peer', name);
  }

  /** A block whose statements are those of any scope, and of which nothing is kept. */
  #foreignScope(place: Place, keyword: string): readonly Statement[] {
    const name = this.#cursor.at('{') ? '' : readDatum(this.#cursor, 'the address of the subnet').text;
    this.#body(keyword, place);
    return [{ kind: 'foreign', keyword, name, place }];
  }

  /** A block with statements of its own kind, of which nothing is kept. */
  #foreignBlock(place: Place, keyword: string, name: string): readonly Statement[] {
    const cursor = this.#cursor;
    const known = FOREIGN.get(keyword)?.statements ?? [];
    cursor.expect('{', `after ${keyword} ${name}`);
    while (!cursor.skip('}')) {
      if (cursor.skip(';')) continue;
      const start = cursor.peek();
      if (start.kind !== 'word') throw cursor.expected(`a statement of ${keyword} ${name}`);
      const items = readForeign(cursor);
      const words = items
        .map(({ text }) => text)
        .join(' ')
        .toLowerCase();
      if (!known.some((one) => words === one || words.startsWith(`${one} `))) {
        throw invalid(start.place, `${keyword} has no statement ${quoted(start.text)}`, `it has: ${known.join(', ')}`);
      }
      cursor.semicolon(start.place);
    }
    cursor.skip(';');
    return [{ kind: 'foreign', keyword, name, place }];
  }
}

/** The items of a statement up to its semicolon; secrets in base64 have signs of their own. */
function readForeign(cursor: Cursor): readonly Datum[] {
  const items: Datum[] = [];
  while (!cursor.at(';') && !cursor.at('}') && cursor.peek().kind !== 'end') {
    const { text, place } = cursor.take();
    items.push({ kind: 'words', text, place });
  }
  return items;
}

function dataOf(text: string, place: Place): Value {
  return { data: [[{ kind: 'text', text, place }]] };
}
