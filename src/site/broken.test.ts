import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Findings } from './finding.ts';
import { KnownNodes } from './knownNodes.ts';
import { resolveSite } from './resolve.ts';
import { profileSchema, siteSchema } from './schema.ts';
import { hold } from './shape.ts';
import { SiteMemory } from './siteMemory.ts';
import { readYaml } from './yaml.ts';

const SITE = `site: g-rack
vars: { a: &deep { b: [1, 2] }, c: *deep }
networks:
  openstack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2, gateway: 10.0.0.1, dns: [10.0.0.10], lease: 2h,
    routes: [{ to: 10.9.0.0/16, via: 10.0.0.3 }], pools: [{ range: 10.0.0.200-10.0.0.220, allow: any }] }
  lan: { subnet: 192.168.0.0/24, mtu: 1400, pools: [{ range: 192.168.0.9 }, { range: 192.168.0.11-192.168.0.15 }] }
profiles:
  compute: { image: bookworm, loader: auto, kernelArgs: [quiet], overlays: [nova], services: [nova-compute] }
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, profiles: [compute, storage], vars: { rack: g6 } }
  node02: { mac: [52:54:00:00:00:52, 52:54:00:00:00:53], kernelArgs: [debug] }
menu: { timeout: 3s, default: tiny, entries: { tiny: { kernel: tiny/linux, initrd: tiny/initrd, args: [quiet] } } }
tftp: { root: tftp, singlePort: true }
http: { port: 8080 }
dhcp: { probe: off, probeTime: 500ms }
`;

/** What an edit may leave in the place of some text. */
const LEFT = [
  '',
  ' ',
  '\n',
  ':',
  ': ',
  ',',
  '[',
  ']',
  '{',
  '}',
  '-',
  '"',
  '*deep',
  '&deep ',
  '~',
  '0',
  '-1',
  '9e99',
  '10.0.0.51',
];
const WORDS = [
  'networks',
  'nodes',
  'mac',
  'ip',
  'node01',
  'openstack',
  'null',
  'true',
  '10.0.0.0/0',
  '__proto__',
  'constructor',
];

/** Reads and resolves like a load does, with no disk; what is wrong, and the site if nothing is. */
function resolveText(text: string, profile: string) {
  const findings = new Findings();
  const site = hold(readYaml('site.yaml', text, findings), siteSchema, findings);
  const storage = hold(readYaml('profiles/storage.yaml', profile, findings), profileSchema, findings);
  if (site !== undefined) {
    const documents = {
      root: '/site',
      site,
      profiles: new Map([['storage', storage]]),
      images: new Map([['bookworm', undefined]]),
      overlays: ['nova'],
      shippedOverlays: [],
      nodeFolders: ['node01'],
    };
    const known = new KnownNodes(new SiteMemory(), '');
    resolveSite(documents, (path) => (path === '/site/tftp' ? 'folder' : 'file'), known, findings);
  }
  return { usable: site !== undefined, errors: findings.errors };
}

describe('a site that was edited at random', () => {
  it('is good before the edits', () => {
    assert.deepEqual(resolveText(SITE, 'image: bookworm\n'), { usable: true, errors: [] });
  });

  it('never makes the reader throw, and every finding stands in the file', () => {
    const edit = fc.record({
      from: fc.nat({ max: SITE.length }),
      length: fc.nat({ max: 30 }),
      left: fc.oneof(fc.constantFrom(...LEFT, ...WORDS), fc.string({ maxLength: 4 })),
    });
    fc.assert(
      fc.property(
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('', 'vars: 5\n', '[', 'image: bookworm\n'),
        (edits, profile) => {
          let text = SITE;
          for (const { from, length, left } of edits) text = text.slice(0, from) + left + text.slice(from + length);
          const { usable, errors } = resolveText(text, profile);
          if (!usable) assert.ok(errors.length > 0, 'nothing usable, and no error');
          const lines = text.split('\n');
          for (const { place, message } of errors) {
            assert.ok(message.length > 0);
            if (place.file !== 'site.yaml') continue;
            assert.ok(place.line >= 1 && place.line <= lines.length, `line ${place.line}`);
            assert.ok(place.col >= 1 && place.col <= (lines[place.line - 1]?.length ?? 0) + 1, `column ${place.col}`);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});
