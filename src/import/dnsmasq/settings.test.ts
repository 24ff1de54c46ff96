import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPlace, ReveilleError } from '../../errors.ts';
import { type SiteFiles, withSiteFolder } from '../../site/testing/folderFixture.ts';
import { SiteDraft } from '../draft.ts';
import { readSettings } from './files.ts';
import { readDnsmasq } from './read.ts';
import { settingsIn } from './settings.ts';

const only = (text: string) => [...settingsIn('dnsmasq.conf', text)];
const ALONE = { addresses: new Map(), tree: false };

describe('a line of dnsmasq.conf', () => {
  it('is an option, or an option and a value of fields, each with its place', () => {
    const [first, second] = only('\t no-hosts # none\n  dhcp-host = a , "b,#\\"c" ,d#e # f\r\n#x\n\n');
    assert.equal(first?.keyword, 'no-hosts');
    assert.deepEqual(first?.place, { file: 'dnsmasq.conf', line: 1, col: 3 });
    assert.equal(second?.keyword, 'dhcp-host');
    assert.equal(second?.whole, 'dhcp-host = a , "b,#\\"c" ,d#e');
    assert.deepEqual(
      second?.fields.map(({ text, quoted, place }) => [text, quoted, place.col]),
      [
        ['a', false, 15],
        ['b,#"c', true, 20],
        ['d#e', false, 29],
      ],
    );
  });

  const refused: [string, string][] = [
    ['nonsense', 'dnsmasq.conf:1:1: dnsmasq has no option "nonsense"'],
    ['dhcp_range=1', 'dnsmasq.conf:1:1: dnsmasq has no option "dhcp_range"'],
    ['\n dhcp-range', 'dnsmasq.conf:2:2: dhcp-range needs a value'],
    ['no-hosts=1', 'dnsmasq.conf:1:1: no-hosts takes no value'],
    ['domain="x', 'dnsmasq.conf:1:8: these quotes do not end'],
    ['dhcp-range=10.0.0.9,10.0.0.300', 'dnsmasq.conf:1:21: "10.0.0.300" is not an IPv4 address'],
    [
      'dhcp-range=10.0.0.5,10.0.1.9,255.255.255.0',
      'dnsmasq.conf:1:30: 10.0.0.5 and 10.0.1.9 are not of one network with the netmask 255.255.255.0',
    ],
    [`${'x'.repeat(100)}=1`, `dnsmasq.conf:1:1: dnsmasq has no option "${'x'.repeat(60)}..."`],
    ['dhcp-range=10.0.0.1,10.0.0.9,255.255.0.255', 'dnsmasq.conf:1:30: 255.255.0.255 is not a netmask'],
    ['dhcp-range=10.0.0.1,10.0.0.9,255.0.0.0,10.255.255.255,1h,x', 'dnsmasq.conf:1:58: "x" is not understood here'],
    ['dhcp-option=nothing', 'dnsmasq.conf:1:1: this names no option'],
    ['dhcp-option=option:nothing,1', 'dnsmasq.conf:1:13: dnsmasq has no option called "nothing"'],
    ['dhcp-host=52:54:00:00:00:51,a b', 'dnsmasq.conf:1:29: "a b" is not understood in dhcp-host'],
    ['dhcp-mac=set:x,zz', 'dnsmasq.conf:1:16: "zz" is not a hardware address'],
    ['pxe-service=toaster,x,y', 'dnsmasq.conf:1:13: "toaster" is no kind of firmware that dnsmasq knows'],
    ['pxe-service=x86PC', 'dnsmasq.conf:1:1: pxe-service needs the words of its item'],
    ['tag-if=tag:a', 'dnsmasq.conf:1:1: tag-if needs set:TAG and tag:TAG'],
    ['dhcp-boot=tag:a', 'dnsmasq.conf:1:1: this names no boot file'],
    ['dhcp-range=10.0.0.1,10.0.0.9\ndhcp-option=3,foo', 'dnsmasq.conf:2:15: "foo" is not an IPv4 address'],
    ['conf-file=/nonexistent/other.conf', 'dnsmasq.conf:1:11: /nonexistent/other.conf is not found in FOLDER'],
    ['conf-file=../outside', 'dnsmasq.conf:1:11: ../outside is not found in FOLDER'],
    ['conf-file=dnsmasq.conf', 'dnsmasq.conf:1:11: dnsmasq.conf draws itself in'],
  ];
  for (const [text, told] of refused) {
    it(`is refused: ${JSON.stringify(text)}`, () =>
      withSiteFolder({ 'dnsmasq.conf': text }, async (folder) => {
        await assert.rejects(readDnsmasq(new SiteDraft(), `${folder}/dnsmasq.conf`, ALONE), (error) => {
          assert.ok(error instanceof ReveilleError && error.code === 'IMPORT_INVALID' && error.place);
          assert.equal(`${formatPlace(error.place)}: ${error.message}`.replaceAll(folder, 'FOLDER'), told);
          return true;
        });
      }));
  }

  it('is reported with all others that cannot be read', () =>
    withSiteFolder({ 'dnsmasq.conf': 'dhcp-range=x.y\ndhcp-host=a b\n' }, async (folder) => {
      await assert.rejects(readDnsmasq(new SiteDraft(), `${folder}/dnsmasq.conf`, ALONE), (error) => {
        assert.match((error as ReveilleError).hint ?? '', /dnsmasq\.conf:2:11: "a b" is not understood in dhcp-host/);
        return true;
      });
    }));
});

describe('the files of dnsmasq', () => {
  const read = async (files: SiteFiles) => {
    let settings: readonly string[] = [];
    await withSiteFolder(files, async (folder) => {
      settings = (await readSettings(`${folder}/dnsmasq.conf`)).map(({ place, whole }) => `${place.file}:${whole}`);
    });
    return settings;
  };

  it('are drawn in by name and by ending, beside the first file where their own folder is elsewhere', async () => {
    const files = {
      'dnsmasq.conf': 'conf-file=more.conf\nconf-dir=/etc/d,*.conf\nconf-dir=e,.bak\nno-poll\n',
      'more.conf': 'no-hosts\n',
      'd/b.conf': 'no-resolv\n',
      'd/a.conf': 'bogus-priv\n',
      'd/a.bak': 'nonsense\n',
      'e/c.bak': 'nonsense\n',
      'e/c~': 'nonsense\n',
      'e/.c': 'nonsense\n',
      'e/#c#': 'nonsense\n',
      'e/c': 'selfmx\n',
    };
    assert.deepEqual(await read(files), [
      'more.conf:no-hosts',
      'd/a.conf:bogus-priv',
      'd/b.conf:no-resolv',
      'e/c:selfmx',
      'dnsmasq.conf:no-poll',
    ]);
  });
});

describe('any text', () => {
  const word = fc.constantFrom(
    'dhcp-host',
    'dhcp-range',
    'dhcp-option',
    'dhcp-boot',
    'pxe-service',
    'dhcp-match',
    'domain',
  );
  const value = fc.constantFrom(
    ...[
      '10.0.0.1',
      '10.0.0.9',
      'tag:a',
      'tag:!a',
      'set:a',
      'option:router',
      '3',
      '93',
      'static',
      '12h',
      '::1',
      '"',
      '',
    ],
    ...['52:54:00:00:00:51', '52:54:*:*:*:*', '06-52:54', 'ignore', 'x86PC', '255.255.255.0', '0.0.0.0', 'id:1', 'a.b'],
  );
  const line = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.tuple(word, fc.array(value, { maxLength: 5 })).map(([keyword, values]) => `${keyword}=${values.join(',')}`),
  );

  it('is read, or refused at a place', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), (lines) =>
        withSiteFolder({ 'dnsmasq.conf': lines.join('\n') }, async (folder) => {
          try {
            await readDnsmasq(new SiteDraft(), `${folder}/dnsmasq.conf`, ALONE);
          } catch (error) {
            assert.ok(error instanceof ReveilleError && error.code === 'IMPORT_INVALID' && error.place, String(error));
          }
        }),
      ),
      { numRuns: 500 },
    );
  });
});
