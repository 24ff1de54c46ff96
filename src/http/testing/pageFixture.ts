import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../errors.ts';
import { COMMON_REFUSALS } from '../contracts/contract.ts';
import { COMMON_NODE_REFUSALS, NODE_CONTRACTS } from '../contracts/nodes.ts';
import { OPERATOR_CONTRACTS } from '../contracts/operators.ts';

/** The page on the API. What stands between its marks is made of the contracts. */
export const PAGE = join(import.meta.dirname, '../../../docs/api.md');

const MARKS = /(<!-- (\w+) -->\n)[\s\S]*?(<!-- end -->)/g;

/** The page with its tables made anew. */
export function pageText(page: string): string {
  return page.replace(MARKS, (_, begin: string, name: keyof typeof TABLES, end: string) => {
    return `${begin}\n${TABLES[name]()}\n\n${end}`;
  });
}

/** Writes the page's tables anew. */
export function writePage(): void {
  writeFileSync(PAGE, pageText(readFileSync(PAGE, 'utf8')));
}

const TABLES = { operators: operatorRoutes, nodes: nodeRoutes, refusals: refusalTable };

function operatorRoutes(): string {
  return OPERATOR_CONTRACTS.map(({ method, path, role, summary, params, query, body, form, refusals }) => {
    const values = [...rowsOf('path', params), ...rowsOf('query', query), ...rowsOf('body', body)];
    return [
      `### ${method} ${path}`,
      '',
      summary,
      ...(values.length === 0 ? [] : ['', '| name | in | form | meaning |', '|---|---|---|---|', ...values]),
      '',
      `Role: ${role === 'open' ? 'none, no token is needed' : role}. Answer: ${form === 'json' ? 'JSON' : 'lines of JSON'}.${refusals.length === 0 ? '' : ` Refusals: ${codes(refusals)}.`}`,
    ].join('\n');
  }).join('\n\n');
}

function nodeRoutes(): string {
  const rows = NODE_CONTRACTS.map(({ methods, path, summary, query, body, answers, refusals }) => {
    const names = Object.keys(query.shape).filter((name) => !['mac', 'time', 'token'].includes(name));
    const most = body.most === 0 ? '' : `, ${body.most} bytes at most`;
    const given = Object.entries(answers).map(([status, what]) => `${status}: ${what}`);
    return `| ${methods.join(', ')} \`${path}\` | ${summary} | ${names.map((name) => `\`${name}\``).join(', ')} | ${body.what}${most} | ${[...given, ...(refusals.length === 0 ? [] : [codes(refusals)])].join('; ')} |`;
  });
  return [
    '| route | what it does | query | body of a POST | answers, refusals |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

function refusalTable(): string {
  const all = [...OPERATOR_CONTRACTS, ...NODE_CONTRACTS].flatMap(({ refusals }) => refusals);
  const of = new Set([...COMMON_REFUSALS, ...COMMON_NODE_REFUSALS, 'FILE_MISSING' as const, ...all]);
  const rows = [...of]
    .map((code) => ({ code, ...ERROR_CODES[code] }))
    .sort((a, b) => a.status - b.status || a.code.localeCompare(b.code))
    .map(({ code, status, meaning }) => `| ${status} | \`${code}\` | ${meaning} |`);
  return ['| status | code | meaning |', '|---|---|---|', ...rows].join('\n');
}

function codes(list: readonly ErrorCode[]): string {
  return list.map((code) => `\`${code}\``).join(', ');
}

function rowsOf(place: string, schema: z.ZodObject | undefined): readonly string[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties).map(([name, property]) => {
    const { description = '', ...form } = typeof property === 'object' ? property : {};
    const needed = required.includes(name) ? ', required' : '';
    return `| \`${name}\` | ${place} | ${formOf(form)}${needed} | ${description} |`;
  });
}

function formOf({ type, format, enum: values, minimum }: z.core.JSONSchema.BaseSchema): string {
  if (values !== undefined)
    return values
      .filter((value) => value !== '')
      .map((value) => `\`${value}\``)
      .join(', ');
  const least = minimum === undefined || minimum < 0 ? '' : `, ${minimum} or more`;
  return `${format ?? (type === 'string' ? 'text' : type)}${least}`;
}
