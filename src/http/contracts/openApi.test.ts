import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { PAGE, pageText, writePage } from '../testing/pageFixture.ts';
import { NODE_CONTRACTS } from './nodes.ts';
import { openApi } from './openApi.ts';
import { OPERATOR_CONTRACTS } from './operators.ts';

/** All values below a value that stand under a key. */
function under(value: unknown, key: string): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner] : []), ...under(inner, key)]);
}

describe('the OpenAPI document', () => {
  const document = openApi();
  const { paths, components } = document as {
    paths: Record<string, Record<string, { parameters?: { name: string }[]; responses: object }>>;
    components: { schemas: Record<string, object> };
  };

  it('has each route with each of its methods, and no other', () => {
    const named = Object.entries(paths).flatMap(([path, of]) => Object.keys(of).map((method) => `${method} ${path}`));
    const contracts = [
      ...OPERATOR_CONTRACTS.map(({ method, path }) => `${method} ${path}`),
      ...NODE_CONTRACTS.flatMap(({ methods, path }) => methods.map((method) => `${method} ${path}`)),
    ].map((text) => text.replace(/^\w+/, (method) => method.toLowerCase()).replace(/:(\w+)/g, '{$1}'));
    assert.deepEqual(named.sort(), contracts.sort());
  });

  it('refers only to schemas that it has, and uses each', () => {
    const refs = under(document, '$ref').map((ref) => /^#\/components\/schemas\/(\w+)$/.exec(String(ref))?.[1]);
    assert.deepEqual([...new Set(refs)].sort(), Object.keys(components.schemas).sort());
    for (const name of ['Event', 'Lease', 'NodeStatus', 'Refusal', 'Roll', 'Stranger'])
      assert.ok(components.schemas[name], name);
    assert.deepEqual(under(document, '$defs'), []);
  });

  it('names parameters and refusals', () => {
    const roll = paths['/api/v1/rolls/{id}/resume']?.post;
    assert.deepEqual(roll?.parameters, [
      {
        name: 'id',
        in: 'path',
        required: true,
        description: 'The id of a roll, or `newest`.',
        schema: { type: 'string' },
      },
    ]);
    assert.deepEqual(Object.keys(roll?.responses ?? {}), ['200', '400', '401', '403', '429', '500', '503']);
    const bundle = paths['/node/v1/bundle']?.get;
    assert.deepEqual(
      bundle?.parameters?.map(({ name }) => name),
      ['mac', 'time', 'token', 'applied', 'folders'],
    );
  });
});

/** What a linter that we did not write finds wrong with a document. */
async function lint(document: object): Promise<readonly string[]> {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source: JSON.stringify(document), config });
  return problems.map(({ ruleId, message, location }) => `${ruleId} at ${location[0]?.pointer}: ${message}`);
}

describe('a linter of OpenAPI', () => {
  it('finds nothing wrong with the document', async () => {
    assert.deepEqual(await lint(openApi()), []);
  });

  it('would find what can go wrong with it', async () => {
    const document = openApi() as { paths: Record<string, Record<string, Record<string, unknown>>> };
    const status = document.paths['/api/v1/status']?.get ?? assert.fail('no status');
    const faults: readonly (readonly [rule: string, change: () => void])[] = [
      ['operation-operationId', () => delete status.operationId],
      ['operation-operationId-unique', () => (status.operationId = 'readEvents')],
      ['struct', () => (status.responses = { 200: {} })],
      ['no-unresolved-refs', () => (status.responses = { 200: { $ref: '#/components/responses/None' } })],
      ['security-defined', () => (status.security = [{ other: [] }])],
    ];
    for (const [rule, change] of faults) {
      const before = { ...status };
      change();
      const found = await lint(document);
      assert.ok(
        found.some((problem) => problem.startsWith(`${rule} at`)),
        `${rule}: ${found.join('; ')}`,
      );
      for (const name of Object.keys(status)) delete status[name];
      Object.assign(status, before);
    }
  });
});

it('docs/api.md has the routes and refusals as they are; UPDATE_DOCS=1 writes them', () => {
  if (process.env.UPDATE_DOCS === '1') writePage();
  const page = readFileSync(PAGE, 'utf8');
  assert.equal(page, pageText(page));
  for (const { path } of OPERATOR_CONTRACTS) assert.ok(page.includes(` ${path}\n`), path);
  for (const { path } of NODE_CONTRACTS) assert.ok(page.includes(`\`${path}\``), path);
});
