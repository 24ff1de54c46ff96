import { formatHex } from './hex.ts';
import type { Data, Expression, OptionName, Permitted, Statement, Value } from './tree.ts';

/** A statement in the words of dhcpd.conf, short enough for a line of a report: of a block its first line, no secrets. */
export function show(statement: Statement): string {
  const text = showWhole(statement);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}

const LONGEST = 100;

function showWhole(statement: Statement): string {
  switch (statement.kind) {
    case 'shared-network':
    case 'host':
    case 'class':
      return `${statement.kind} ${statement.name}`;
    case 'group':
      return statement.name === undefined ? 'group' : `group ${statement.name}`;
    case 'subnet':
      return `subnet ${statement.base.text} netmask ${statement.netmask.text}`;
    case 'subclass':
      return `subclass "${statement.of}" ${showExpression(statement.data)}`;
    case 'foreign':
      return `${statement.keyword} ${statement.name}`.trim();
    case 'permit':
      return `${statement.verb} ${showPermitted(statement.what)}`;
    case 'range': {
      const { bootp, first, last } = statement;
      return `range ${bootp ? 'dynamic-bootp ' : ''}${first === last ? first.text : `${first.text} ${last.text}`}`;
    }
    case 'hardware':
      return `hardware ${statement.type} ${statement.address.text}`;
    case 'option':
      return `${statement.how === 'set' ? '' : `${statement.how} `}option ${showOption(statement.option)} ${showValue(statement.value)}`.trim();
    case 'option-definition':
      return `option ${showOption(statement.option)} code ${statement.code}`;
    case 'option-space':
      return `option space ${statement.space}`;
    case 'parameter':
      return `${statement.keyword} ${showValue(statement.value)}`.trim();
    case 'match':
      return `match ${statement.condition ? 'if ' : ''}${showExpression(statement.expression)}`;
    case 'spawn':
      return `spawn with ${showExpression(statement.expression)}`;
    case 'lease-limit':
      return `lease limit ${statement.limit.text}`;
    case 'authoritative':
      return statement.not ? 'not authoritative' : 'authoritative';
    case 'if': {
      const [first] = statement.branches;
      return `if ${first?.condition === undefined ? '' : showExpression(first.condition)}`;
    }
    case 'switch':
      return `switch (${showExpression(statement.on)})`;
    case 'on':
      return `on ${statement.events.join(' or ')}`;
    case 'action':
      return statement.words;
    case 'lone':
      return statement.word;
    case 'pool':
      return 'pool';
  }
}

/** `routers`, `agent.circuit-id`. */
export function showOption({ space, name }: OptionName): string {
  return space === 'dhcp' ? name : `${space}.${name}`;
}

function showValue(value: Value): string {
  return 'data' in value ? showData(value.data) : `= ${showExpression(value.expression)}`;
}

function showData(data: Data): string {
  return data
    .map((group) => group.map(({ kind, text }) => (kind === 'text' ? quote(text) : text)).join(' '))
    .join(', ');
}

function showPermitted(what: Permitted): string {
  switch (what.kind) {
    case 'known':
    case 'unknown':
      return `${what.kind}-clients`;
    case 'members':
      return `members of "${what.of}"`;
    case 'after':
      return `after ${what.when}`;
    case 'flag':
      return what.flag;
    case 'dynamic-bootp':
      return 'dynamic bootp clients';
    default:
      return `${what.kind} clients`;
  }
}

/** An expression as dhcp-eval(5) spells it. */
export function showExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'text':
      return quote(expression.text);
    case 'bytes':
      return formatHex(expression.bytes);
    case 'number':
      return String(expression.value);
    case 'word':
      return expression.word;
    case 'option': {
      const word = { packet: 'option', config: 'config-option', exists: 'exists' }[expression.from];
      return `${word} ${showOption(expression.option)}`;
    }
    case 'call':
      return `${expression.name} (${expression.arguments.map(showExpression).join(', ')})`;
    case 'not':
      return `not ${showExpression(expression.of)}`;
    case 'binary':
      return `${showExpression(expression.left)} ${expression.op} ${showExpression(expression.right)}`;
  }
}

function quote(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`;
}
