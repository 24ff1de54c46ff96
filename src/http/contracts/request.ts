import { z } from 'zod';
import { ReveilleError } from '../../errors.ts';
import type { AnyValues, Contract, Part, ValuesOf } from './contract.ts';

/** Values as they come over the wire: texts in path and query, parsed JSON in the body. */
export type WireValues = { readonly [part in Part]: unknown };

/** How a request goes out. */
export type WireRequest = { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: string };

/** The values of a request by its contract. Throws REQUEST_INVALID, which names the first value that is wrong. */
export function readValues<C extends Contract>(contract: C, wire: WireValues): ValuesOf<C> {
  const values: AnyValues = {
    ...readPart(contract, 'params', wire),
    ...readPart(contract, 'query', wire),
    ...readPart(contract, 'body', wire),
  };
  // Each part has just been read by its schema.
  return values as ValuesOf<C>;
}

function readPart(contract: Contract, part: Part, wire: WireValues): AnyValues {
  const schema = contract[part];
  const value = wire[part] ?? {};
  if (schema === undefined) {
    // A parameter that is not read could have been meant to hold something back.
    const [name] = Object.keys(value);
    if (part === 'params' || name === undefined) return {};
    throw invalid(part, [], `must not hold "${name}": this route takes none there`);
  }
  const read = schema.safeParse(value, { error: (issue) => wordsOfIssue(issue, part, schema) });
  if (read.success) return { [part]: read.data };
  throw refusal(part, read.error);
}

/** The request that has these values. Throws REQUEST_INVALID where they do not fit the contract. */
export function writeRequest(contract: Contract, values: AnyValues): WireRequest {
  const { method } = contract;
  const params = writePart(contract, 'params', values);
  const path = contract.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const query = new URLSearchParams(
    Object.entries(writePart(contract, 'query', values)).map(([name, text]) => [name, String(text)]),
  );
  return {
    method,
    path: query.size === 0 ? path : `${path}?${query}`,
    ...(contract.body === undefined ? {} : { body: JSON.stringify(writePart(contract, 'body', values)) }),
  };
}

function writePart(contract: Contract, part: Part, values: AnyValues): Readonly<Record<string, unknown>> {
  const schema = contract[part];
  if (schema === undefined) return {};
  const written = z.safeEncode(schema, values[part] ?? {}, { error: (issue) => wordsOfIssue(issue, part, schema) });
  if (written.success) return written.data;
  throw refusal(part, written.error);
}

function refusal(part: Part, { issues: [issue] }: z.ZodError): ReveilleError {
  return invalid(part, issue?.path ?? [], issue?.message ?? 'is not of the right form');
}

function invalid(part: Part, path: readonly PropertyKey[], message: string): ReveilleError {
  return new ReveilleError('REQUEST_INVALID', `${nameOf(part, path.map(String).join('.'))} ${message}`);
}

function nameOf(part: Part, name: string): string {
  if (name === '') return part === 'query' ? 'the query' : part === 'body' ? 'the body' : 'the path';
  return part === 'query' ? `?${name}=` : part === 'body' ? `"${name}" in the body` : `"${name}" in the path`;
}

/** What is wrong with a value, after its name; schemas have words of their own for their patterns. */
function wordsOfIssue(issue: z.core.$ZodRawIssue, part: Part, schema: z.ZodObject): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `must not hold "${issue.keys[0]}"; it takes ${Object.keys(schema.shape).join(', ')}`;
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      if (part === 'query') return 'must be given once';
      return `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be one of ${issue.values.filter((value) => value !== '').join(', ')}`;
    case 'too_small':
      return `must be ${issue.minimum} or more`;
    case 'too_big':
      return `must be ${issue.maximum} or less`;
    default:
      return 'is not of the right form';
  }
}

const KINDS: { readonly [expected: string]: string } = {
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a JSON object',
  string: 'a text',
};
