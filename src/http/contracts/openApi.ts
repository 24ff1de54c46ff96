import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../errors.ts';
import { COMMON_REFUSALS, type Contract } from './contract.ts';
import { COMMON_NODE_REFUSALS, NODE_CONTRACTS, type NodeContract } from './nodes.ts';
import { OPERATOR_CONTRACTS } from './operators.ts';
import { place } from './status.ts';

type Json = Record<string, unknown>;
type JsonSchema = z.core.JSONSchema.BaseSchema;

const refusal = z
  .object({
    code: z.string().describe('For programs; never changes.'),
    message: z.string().describe('What is wrong.'),
    hint: z.string().exactOptional().describe('What to do.'),
    place: place.exactOptional().describe("Where in the operator's files."),
  })
  .meta({ id: 'Refusal' });

/** The OpenAPI document (3.1) of all routes, made of their contracts. */
export function openApi(): Json {
  const schemas = new Schemas();
  const refusalSchema = schemas.of(refusal, 'output');
  const paths: Record<string, Json> = {};
  for (const contract of OPERATOR_CONTRACTS) {
    add(paths, contract.path, [contract.method], operation(contract, schemas, refusalSchema));
  }
  for (const contract of NODE_CONTRACTS) {
    add(paths, contract.path, contract.methods, nodeOperation(contract, schemas, refusalSchema));
  }
  return withRefs({
    openapi: '3.1.0',
    info: {
      title: 'Reveille',
      version: 'v1',
      description:
        'The API of operators is served on the Unix socket `reveille.sock` in the state folder and, where the site says so, over TCP; the API of nodes over HTTP to the nodes of the site.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      {
        url: 'https://{host}:{port}',
        description: 'The operators’ API over TCP.',
        variables: { host: { default: 'localhost' }, port: { default: '8443' } },
      },
    ],
    security: [{ token: [] }],
    tags: [
      {
        name: 'operators',
        description:
          'Over TCP with a token, whose role is `x-role` or one above; on the Unix socket who may open it may ask.',
      },
      { name: 'nodes', description: 'For the agent on a node; the address of the connection says which node asks.' },
    ],
    paths,
    components: {
      schemas: schemas.named,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Made by `reveille token create NAME --role ROLE`.' },
      },
    },
  });
}

/** The same with references that lead to where OpenAPI keeps schemas. */
function withRefs(document: Json): Json {
  return JSON.parse(JSON.stringify(document), (key, value: unknown) =>
    key === '$ref' ? String(value).replace('#/$defs/', '#/components/schemas/') : value,
  );
}

/** The same operation by several methods has a name for each. */
function add(paths: Record<string, Json>, path: string, methods: readonly string[], of: Json): void {
  const key = path.replace(/:(\w+)/g, '{$1}');
  paths[key] = {
    ...paths[key],
    ...Object.fromEntries(
      methods.map((method, i) => [
        method.toLowerCase(),
        i === 0 ? of : { ...of, operationId: `${of.operationId}By${method}` },
      ]),
    ),
  };
}

function operation(contract: Contract, schemas: Schemas, refusalSchema: JsonSchema): Json {
  const { summary, params, query, body, form, answer, streams } = contract;
  const parameters = [
    ...parametersOf(params, 'path', schemas),
    ...parametersOf(query, 'query', schemas),
    ...(streams ? [LAST_EVENT_ID] : []),
  ];
  const type = form === 'json' ? 'application/json' : 'application/x-ndjson';
  const isOpen = contract.role === 'open';
  return {
    operationId: contract.operation,
    tags: ['operators'],
    summary,
    ...(isOpen ? { security: [] } : { 'x-role': contract.role }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: requestBody(schemas.of(body, 'input')) }),
    responses: {
      200: {
        description: form === 'json' ? 'The answer.' : 'Lines of JSON, each of this form.',
        content: {
          [type]: { schema: schemas.of(answer, 'output') },
          ...(streams ? { 'text/event-stream': { schema: { type: 'string' } } } : {}),
        },
      },
      ...refusals([...COMMON_REFUSALS, ...(isOpen ? TOO_MANY : AT_THE_DOOR), ...contract.refusals], refusalSchema),
    },
  };
}

/** With these a request over TCP is refused at the door. */
const TOO_MANY: readonly ErrorCode[] = ['TOO_MANY_REQUESTS'];
const AT_THE_DOOR: readonly ErrorCode[] = ['TOKEN_REFUSED', 'ROLE_LACKING', ...TOO_MANY];

const LAST_EVENT_ID: Json = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  description: 'Of server-sent events: goes on after the event of this id.',
  schema: { type: 'string', pattern: '^[0-9]{1,16}$' },
};

function requestBody(schema: JsonSchema): Json {
  return { required: schema.required !== undefined, content: { 'application/json': { schema } } };
}

function nodeOperation(contract: NodeContract, schemas: Schemas, refusalSchema: JsonSchema): Json {
  const { summary, query, body, answers } = contract;
  const bytes = { schema: { type: 'string', maxLength: body.most } };
  return {
    operationId: contract.operation,
    tags: ['nodes'],
    security: [],
    summary,
    parameters: parametersOf(query, 'query', schemas),
    ...(contract.methods.includes('POST')
      ? { requestBody: { description: body.what, content: { 'application/octet-stream': bytes } } }
      : {}),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, description]) => [status, { description }])),
      ...refusals([...COMMON_NODE_REFUSALS, ...contract.refusals], refusalSchema),
    },
  };
}

function parametersOf(schema: z.ZodObject | undefined, place: 'path' | 'query', schemas: Schemas): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemas.of(schema, 'input');
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = typeof property === 'object' ? property : {};
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

/** Refusals by status, each with the codes that come with it. */
function refusals(codes: readonly ErrorCode[], schema: JsonSchema): Json {
  const byStatus = Map.groupBy(codes, (code) => ERROR_CODES[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      {
        description: of.map((code) => `${code}: ${ERROR_CODES[code].meaning}`).join('; '),
        content: { 'application/json': { schema } },
      },
    ]),
  );
}

/** JSON Schemas of zod's; those that have an id are gathered, and named where they are used. */
class Schemas {
  readonly named: Record<string, JsonSchema> = {};

  of(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const made = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: ({ jsonSchema }) => {
        // Answers may have more fields in later releases.
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
        // What every whole number of JavaScript keeps within goes without saying.
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      },
    });
    const { $schema: _, $defs = {}, id, ...rest } = made;
    Object.assign(this.named, $defs);
    if (typeof id !== 'string') return rest;
    this.named[id] = rest;
    return { $ref: `#/$defs/${id}` };
  }
}
