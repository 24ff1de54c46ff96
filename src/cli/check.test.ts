import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Finding } from '../model/finding.ts';
import type { InterfaceAddresses } from '../site/servers.ts';
import { ip } from '../site/testing/fixture.ts';
import { withSiteFolder } from '../site/testing/folderFixture.ts';
import { checkCommand, type SiteCheck } from './check.ts';
import { schemaCommand } from './schema.ts';
import { run } from './testing/runFixture.ts';

const GOOD = { 'site.yaml': 'networks: { a: { subnet: 10.0.0.0/24 } }\nnodes: {}\n' };
const BAD = { 'site.yaml': 'networks: { a: { subnet: 10.0.0.0/24, gatway: 10.0.0.1 } }\nnodes: 5\n' };

describe('reveille check', () => {
  it('sums up a good site and ends with 0', () =>
    withSiteFolder(GOOD, async (folder) => {
      assert.deepEqual(await run(checkCommand(), ['--site', folder]), {
        out: 'ok: 1 network, 0 nodes, 0 images',
        code: 0,
      });
    }));

  it('lists all errors with place and hint, and ends with 1', () =>
    withSiteFolder(BAD, async (folder) => {
      assert.deepEqual(await run(checkCommand(), ['--site', folder]), {
        out: [
          `${folder}/site.yaml:1:39: error: unknown key "gatway"`,
          '  hint: did you mean "gateway"?',
          `${folder}/site.yaml:2:8: error: expected a map of nodes, found the number 5`,
          '',
          '2 errors',
        ].join('\n'),
        code: 1,
      });
    }));

  it('prints the same as JSON', () =>
    withSiteFolder(BAD, async (folder) => {
      const { out, code } = await run(checkCommand(), ['--site', folder, '--json']);
      assert.equal(code, 1);
      assert.deepEqual(JSON.parse(out), {
        ok: false,
        errors: [
          { file: 'site.yaml', line: 1, col: 39, message: 'unknown key "gatway"', hint: 'did you mean "gateway"?' },
          { file: 'site.yaml', line: 2, col: 8, message: 'expected a map of nodes, found the number 5' },
        ],
        warnings: [],
      });
    }));

  it('warns of interfaces that this machine lacks, and of those without an address', () =>
    withSiteFolder(
      {
        'site.yaml': `networks:
  a: { interface: eth0, subnet: 10.0.0.0/24 }
  b: { interface: eth1, subnet: 10.1.0.0/24 }
  c: { interface: br9, subnet: 10.2.0.0/24 }
  d: { subnet: 10.3.0.0/24 }
`,
      },
      async (folder) => {
        const at = (text: string) => ({ ip: ip(text), prefix: 24 });
        const warned = async (here: InterfaceAddresses) => {
          const { out, code } = await run(
            checkCommand([], () => here),
            ['--site', folder, '--json'],
          );
          assert.equal(code, 0);
          return JSON.parse(out).warnings.map(({ line, message }: Finding['place'] & Finding) => `${line}: ${message}`);
        };
        const server = new Map([
          ['eth0', [at('10.0.0.2')]],
          ['eth1', [at('10.9.0.2')]],
        ]);
        assert.deepEqual(await warned(server), [
          '3: eth1 has no address in 10.1.0.0/24 on this machine',
          '4: this machine has no interface br9',
        ]);
        assert.deepEqual(await warned(new Map([['wlan0', []]])), [
          '2: this machine has none of the interfaces eth0, eth1, br9',
        ]);
      },
    ));

  it('runs the other rooms` checks on a site that loads', () =>
    withSiteFolder(GOOD, async (folder) => {
      const templates: SiteCheck = async () => [
        { place: { file: 'overlays/x/y.j2', line: 3, col: 1 }, message: 'unclosed block' },
      ];
      const { out, code } = await run(checkCommand([templates]), ['--site', folder]);
      assert.equal(code, 1);
      assert.equal(out, `${folder}/overlays/x/y.j2:3:1: error: unclosed block\n\n1 error`);
    }));
});

describe('reveille schema', () => {
  for (const [name, key] of [
    ['site', 'networks'],
    ['image', 'packages'],
    ['profile', 'kernelArgs'],
  ] as const) {
    it(`prints the JSON Schema of ${name}, every key described, no other key allowed`, async () => {
      const { out } = await run(schemaCommand(), [name]);
      const schema = JSON.parse(out);
      assert.ok(key in schema.properties);
      eachObject(schema, (object, path) => {
        assert.equal(object.additionalProperties, false, path);
        for (const [inner, value] of Object.entries(object.properties ?? {}))
          assert.ok((value as { description?: string }).description, `${path}.${inner} is described`);
      });
    });
  }
});

type JsonSchema = { readonly properties?: Readonly<Record<string, unknown>>; readonly additionalProperties?: unknown };

/** Calls `visit` for every part of a schema that lists properties. */
function eachObject(schema: unknown, visit: (object: JsonSchema, path: string) => void, path = ''): void {
  if (typeof schema !== 'object' || schema === null) return;
  if ('properties' in schema && 'type' in schema) visit(schema as JsonSchema, path);
  for (const [key, value] of Object.entries(schema)) eachObject(value, visit, `${path}.${key}`);
}
