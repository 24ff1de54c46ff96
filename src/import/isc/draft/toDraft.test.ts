import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPlace, ReveilleError } from '../../../errors.ts';
import { loadSite } from '../../../site/load.ts';
import { findingText, withSiteFolder } from '../../../site/testing/folderFixture.ts';
import { unprovenClaims } from '../../claims.ts';
import { SiteDraft } from '../../draft.ts';
import { invalid } from '../../invalid.ts';
import { siteYaml } from '../../yamlText.ts';
import type { DhcpdContext } from '../meaning/reading.ts';
import { parseConfiguration } from '../text/parser.ts';
import { addDhcpd } from './toDraft.ts';

const FIXTURES = join(import.meta.dirname, '../../testing/isc');
const CONTEXT: DhcpdContext = { addresses: new Map(), tree: false, interface: 'br0', resolved: new Map() };

function drafted(text: string, context: Partial<DhcpdContext> = {}): SiteDraft {
  const draft = new SiteDraft();
  const statements = parseConfiguration('dhcpd.conf', text, (name, place) => {
    throw invalid(place, `no ${name}`);
  });
  addDhcpd(statements, { ...CONTEXT, ...context }, draft);
  return draft;
}

describe('whatever a configuration says', () => {
  const texts = readdirSync(FIXTURES)
    .filter((name) => name.endsWith('.conf') && name !== 'included.conf' && name !== 'generated.conf')
    .map((name) => readFileSync(join(FIXTURES, name), 'utf8'));
  /** What may stand where such a token stood: of its kind mostly, so that many of the texts can still be read. */
  const kinds: readonly (readonly [RegExp, readonly string[]])[] = [
    [
      /^[\d.]+\.\d+$/,
      ['10.0.0.1', '10.0.0.0', '255.255.255.0', '0.0.0.0', '255.255.255.255', '192.168.0.115', '10.110.0.2', 'host'],
    ],
    [
      /^"/,
      ['""', '"a b"', '"\\xff\\000"', '"é"', '"pxelinux.0"', '"openstack"', '"10"', '"a.b.c"', `"${'x'.repeat(300)}"`],
    ],
    [/^-?\d+$/, ['0', '-1', '1', '7', '65536', '4294967295', '99999999999', 'infinite']],
    [/:/, ['52:54:00:00:00:51', '01:02', '00:07', '1:52:54:00:90:00:01', 'ff:ff:ff:ff:ff:ff']],
    [
      /^(known|unknown|all|members)/,
      ['known-clients', 'unknown-clients', 'all clients', 'members of "openstack"', 'bootp'],
    ],
    [/^(on|off|true|false)$/, ['on', 'off']],
    [/^(host|group|class|pool|subnet|option|if|filename)$/, ['host', 'group', 'class', 'pool', 'filename']],
    [
      /./,
      ['x', '', '{ }', ';', '}', 'group {', 'PXE', 'deny', 'allow', 'domain-name', 'host-name', 'broadcast-address'],
    ],
  ];
  const instead = (token: string, pick: number) => {
    const pieces = kinds.find(([kind]) => kind.test(token))?.[1] ?? [''];
    return pieces[pick % pieces.length] ?? '';
  };

  it('becomes a site that loads, or is reported as wrong', async () => {
    let taken = 0;
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...texts), edits, fc.boolean(), async (text, changes, tree) => {
        const tokens = text.replace(/#.*/g, '').split(/([\s;{},]+)/);
        for (const [at, pick] of changes) {
          const i = (at % Math.ceil(tokens.length / 2)) * 2;
          tokens[i] = instead(tokens[i] ?? '', pick);
        }
        const changed = tokens.join('');
        let draft: SiteDraft;
        try {
          draft = drafted(changed, { tree });
        } catch (error) {
          if (error instanceof ReveilleError && error.code === 'IMPORT_INVALID' && error.place !== undefined) return;
          throw error;
        }
        taken++;
        assert.deepEqual(unprovenClaims(draft), [], changed);
        const yaml = siteYaml({ site: draft.site, commentsAt: (path) => draft.commentsAt(path) }, []);
        await withSiteFolder({ 'site.yaml': yaml }, async (folder) => {
          const loaded = await loadSite(folder);
          assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), [], yaml);
        });
      }),
      { numRuns: Number(process.env.RUNS ?? 300) },
    );
    assert.ok(taken > 10, `${taken} were taken`);
  });
});

describe('a contradiction', () => {
  const net = (text: string) => `subnet 10.0.0.0 netmask 255.255.255.0 { ${text} }`;
  const rows: readonly [string, string][] = [
    [net('range 10.0.1.5 10.0.1.9;'), 'dhcpd.conf:1:41: range 10.0.1.5-10.0.1.9 lies in no subnet here'],
    [
      net('range 10.0.0.5 10.0.0.9; range 10.0.0.9 10.0.0.20;'),
      'dhcpd.conf:1:66: this range overlaps that of dhcpd.conf:1',
    ],
    ['subnet 10.0.0.1 netmask 255.255.255.0 { }', 'dhcpd.conf:1:8: 10.0.0.1 has bits set beyond netmask 255.255.255.0'],
    ['subnet 10.0.0.0 netmask 255.0.255.0 { }', 'dhcpd.conf:1:25: "255.0.255.0" is not a netmask'],
    [net('pool { allow members of "a"; range 10.0.0.5; }'), 'dhcpd.conf:1:48: there is no class "a"'],
    ['subclass "a" 1:2:3;', 'dhcpd.conf:1:1: there is no class "a"'],
    [net('option nosuch 5;'), 'dhcpd.conf:1:41: there is no option "nosuch"'],
    [net('option routers "x";'), 'dhcpd.conf:1:56: expected an IPv4 address, found "x"'],
    [net('option interface-mtu 70000;'), 'dhcpd.conf:1:62: expected a number from 0 to 65535, found "70000"'],
    [
      'host a { hardware ethernet xx:xx:xx:xx:xx:xx; }',
      'dhcpd.conf:1:28: expected hex bytes apart by colons, found "xx"',
    ],
  ];
  for (const [text, message] of rows) {
    it(message, () => {
      try {
        drafted(text);
      } catch (error) {
        assert.ok(error instanceof ReveilleError && error.place);
        assert.equal(`${formatPlace(error.place)}: ${error.message}`, message);
        return;
      }
      assert.fail('it was taken');
    });
  }
});
