import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ApiClient, type Asked, type Operation } from './api.client.ts';
import { layBridge, sh } from './dhcp.rig.ts';
import { runProgram, serveProgram, untilTrue } from './program.rig.ts';

// A client that is made of the OpenAPI document, and whatever else such clients may send.

const folder = mkdtempSync(join(tmpdir(), 'reveille-openapi-'));
const [site, state] = [join(folder, 'site'), join(folder, 'state')];
const AT = { host: '127.0.0.1', port: 9443 };
let server: Awaited<ReturnType<typeof serveProgram>>;

const newToken = async (name: string, role: string) =>
  (await runProgram('token', 'create', name, '--role', role, '--state', state)).text.trim();

before(async () => {
  mkdirSync(site, { recursive: true });
  mkdirSync(state);
  writeFileSync(
    join(site, 'site.yaml'),
    `# the rack\nnetworks:\n  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }\nnodes:\n  node01: { mac: '52:54:00:00:00:51', ip: 10.0.0.51 }\napi: { port: 9443, tls: off }\n`,
  );
  layBridge();
  server = await serveProgram(site, state);
});

after(async () => {
  server.kill();
  await new Promise((resolve) => server.once('exit', resolve));
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

test('a client that is made of the document adds a node, sees it, and takes it out again', async () => {
  const client = await ApiClient.of(AT);
  const admin = await newToken('flow', 'admin');
  const call = async (id: string, asked: Asked = {}) => {
    const { status, text } = await client.call(id, asked, admin);
    assert.equal(status, 200, `${id}: ${text}`);
    return text;
  };
  const body = { name: 'node02', macs: ['52:54:00:00:00:52'], ip: 'next' };
  const dry = JSON.parse(await call('addNode', { body: { ...body, dryRun: true } }));
  assert.deepEqual([dry.written, dry.nodes[0].ip], [false, '10.0.0.52']);
  assert.doesNotMatch(readFileSync(join(site, 'site.yaml'), 'utf8'), /node02/);
  await call('addNode', { body });
  assert.match(readFileSync(join(site, 'site.yaml'), 'utf8'), /^# the rack\n[\s\S]*node02/);
  await untilTrue(async () => (await call('showStatus')).includes('"node02"'));
  const refused = await client.call('addNode', { body }, admin);
  assert.deepEqual([refused.status, JSON.parse(refused.text).code], [422, 'SITE_INVALID']);
  assert.match(await call('switchNodes', { body: { nodes: 'node02', order: 'status' } }), /"code":"BMC_MISSING"/);
  assert.match(await call('readAudit', { query: { limit: 10 } }), /"operation":"addNode"/);
  await call('removeNode', { path: { name: 'node02' }, body: {} });
  await untilTrue(async () => !(await call('showStatus')).includes('"node02"'));
});

/** Values of a JSON Schema, and some that are none. */
function valuesOf(client: ApiClient, schema: { readonly [key: string]: unknown }): fc.Arbitrary<unknown> {
  const { $ref, anyOf, enum: choices, type, properties = {}, required = [], items } = schema;
  const of = (inner: unknown) => valuesOf(client, inner as typeof schema);
  if (typeof $ref === 'string') return of(client.document.components.schemas[$ref.split('/').at(-1) ?? '']);
  const junk = { arbitrary: fc.jsonValue({ maxDepth: 2 }), weight: 1 };
  const mostly = (arbitrary: fc.Arbitrary<unknown>) => fc.oneof({ arbitrary, weight: 12 }, junk);
  if (Array.isArray(anyOf)) return mostly(fc.oneof(...anyOf.map(of)));
  if (Array.isArray(choices)) return mostly(fc.constantFrom(...choices));
  switch (type) {
    case 'integer':
    case 'number':
      return mostly(fc.oneof(fc.nat(20), fc.nat(20), fc.maxSafeInteger()));
    case 'boolean':
      return mostly(fc.boolean());
    case 'array':
      return mostly(fc.array(of(items), { maxLength: 4 }));
    case 'object': {
      const record = Object.fromEntries(Object.entries(properties as object).map(([name, one]) => [name, of(one)]));
      return mostly(fc.record(record, { requiredKeys: (required as string[]).filter((name) => name in record) }));
    }
    default:
      return mostly(fc.oneof(fc.constantFrom(...WORDS), fc.string({ unit: 'binary', maxLength: 40 }), fc.string()));
  }
}

const RIGHT: readonly (readonly [id: string, values: Asked])[] = [
  ['showStatus', {}],
  ['readEvents', { query: { limit: 5, node: 'node01', kind: 'audit.*,dhcp.ack' } }],
  ['readAudit', { query: { since: 0 } }],
  ['syncNodes', { body: { nodes: 'node01', timeoutMs: 0 } }],
  ['switchNodes', { body: { nodes: 'node01', order: 'on', dryRun: true } }],
  ['createToken', { body: { name: 'right', role: 'viewer' } }],
];

const WORDS = [
  ...[
    'node01',
    'node[01-99]',
    '@compute',
    '52:54:00:00:00:51',
    '52:54:00:00:00:[01-10]',
    '10.0.0.51',
    'next',
    'newest',
  ],
  ...[
    'rack',
    'audit.*',
    '../../etc/passwd',
    '',
    '0',
    '1',
    'true',
    '__proto__',
    'constructor',
    '{{ x }}',
    'a\nb: c',
    '[',
    '# x',
  ],
];

function requestsOf(client: ApiClient, { parameters, body }: Operation): fc.Arbitrary<Asked> {
  const part = (place: string) => {
    const own = parameters.filter((one) => one.in === place);
    const values = Object.fromEntries(own.map(({ name, schema }) => [name, valuesOf(client, schema)]));
    return fc.record(values, { requiredKeys: own.filter(({ required }) => required).map(({ name }) => name) });
  };
  return fc.record({
    path: part('path'),
    query: part('query'),
    ...(body === undefined ? {} : { body: valuesOf(client, body) }),
  });
}

test('whatever fits the schemas of the document or nearly does is answered as the document says, and never by 500', async () => {
  const client = await ApiClient.of(AT);
  // More often than one token from one address may ask.
  const tokens = await Promise.all(Array.from({ length: 8 }, (_, i) => newToken(`fuzz${i}`, 'admin')));
  const seen = new Map<string, Set<number>>();
  let asked = 0;
  for (const operation of client.operations.filter(({ path }) => path.startsWith('/api/'))) {
    const statuses = new Set<number>();
    seen.set(operation.id, statuses);
    await fc.assert(
      fc.asyncProperty(requestsOf(client, operation), async (values) => {
        // The tokens that are used stay.
        if (operation.id === 'revokeToken' && /^fuzz/.test(String(values.path?.name))) return;
        const turn = asked++ % tokens.length;
        const { status, text } = await client.call(operation.id, values, tokens[turn] ?? '', `127.0.0.${10 + turn}`);
        statuses.add(status);
        // A path whose value is empty is another path; one whose value is long is none (RFC 9110, 15.5.15).
        if (status === 414 || (status === 404 && text.includes('there is nothing at'))) return;
        assert.ok(status !== 500, `${operation.id} ${JSON.stringify(values)}: ${text}`);
        assert.ok(operation.statuses.includes(String(status)), `${operation.id} answers ${status}: ${text}`);
      }),
      { numRuns: 60 },
    );
  }
  // The schemas let right requests through, too.
  for (const [id, values] of RIGHT) {
    const { status, text } = await client.call(id, values, tokens[0] ?? '', '127.0.0.9');
    assert.equal(status, 200, `${id}: ${text}`);
  }
  assert.ok(asked > 1000, `${asked} requests`);
  const { text } = await client.call('readEvents', { query: { kind: 'server.fault', limit: 10 } }, tokens[0] ?? '');
  assert.equal(text, '');
});
