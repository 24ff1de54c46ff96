import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type SiteFiles, withSiteFolder } from '../site/testing/folderFixture.ts';
import { readDnsmasq } from './dnsmasq/read.ts';
import { SiteDraft } from './draft.ts';
import { readDhcpd } from './isc/read.ts';
import { readTree } from './pxelinux/read.ts';
import { reason, reasons } from './reason.ts';
import { byReason, reportText, totals } from './report.ts';
import { readWarewulf } from './warewulf/read.ts';

describe('the report', () => {
  it('tells what was left, changed and taken, in tables that hold whatever it says', () => {
    const made = new SiteDraft();
    const place = { file: 'dhcpd.conf', line: 3, col: 5 };
    made.remark('taken', place, 'authoritative');
    made.remark('left', place, 'option a "x|y"', 'because `so`\nit is');
    assert.equal(totals(made.remarks), '1 taken over, 0 changed in meaning, 1 left out');
    const text = reportText(made.remarks, ['/etc/dhcp/dhcpd.conf']);
    assert.match(
      text,
      /## Left out.*\| dhcpd.conf:3:5 \| `option a "x\\\|y"` \| because `so` it is \|.*## Taken over/s,
    );
    assert.doesNotMatch(text, /## Changed/);
  });

  it('gives each reason once with its number, and what costs clients something first', () => {
    const made = new SiteDraft();
    const at = (line: number) => ({ file: 'dhcpd.conf', line, col: 1 });
    for (let line = 1; line <= 25; line++)
      made.remark('left', at(line), `zone ${line}`, 'names are another server`s', { weight: 'other' });
    made.remark('changed', at(30), 'range', 'without the router');
    made.remark('left', at(40), 'class "phones"', 'no pool takes it');
    made.remark('left', at(41), 'class "cameras"', 'no pool takes it');
    assert.deepEqual(
      byReason(made.remarks).map(({ kind, why, remarks }) => [kind, remarks.length, why]),
      [
        ['left', 2, 'no pool takes it'],
        ['changed', 1, 'without the router'],
        ['left', 25, 'names are another server`s'],
      ],
    );
    const left = reportText(made.remarks, ['dhcpd.conf'])
      .split('\n')
      .filter((row) => /^\| dhcpd/.test(row));
    assert.deepEqual(left.slice(0, 2), [
      '| dhcpd.conf:40:1, 41:1 | `class "phones"` and 1 more | no pool takes it |',
      '| dhcpd.conf:1:1, 2:1, 3:1, 4:1, 5:1, 6:1, 7:1, 8:1, 9:1, 10:1 ... | `zone 1` and 24 more | names are another server`s |',
    ]);
  });

  it('takes reasons that differ in names for one, and says the names that all have', () => {
    const made = new SiteDraft();
    const at = (line: number) => ({ file: 'default', line, col: 1 });
    const missing = (name: string) => reason`there is no file ${name} below ${'/srv/tftp'}`;
    made.remark('changed', at(1), 'label a', reasons([missing('a'), 'it was hidden']));
    made.remark('changed', at(2), 'label b', reasons([missing('b'), 'it was hidden']));
    made.remark('changed', at(2), 'label b', reasons([missing('b2'), 'it was hidden']));
    made.remark('changed', at(3), 'label c', missing('c'));
    made.remark('changed', at(4), 'label d', reason`it is left out: ${missing('d')}`);
    made.remark('changed', at(5), 'label e', reason`it is left out: ${'memtest'}`);
    assert.deepEqual(
      made.remarks.map(({ why }) => why),
      [
        'there is no file a below /srv/tftp; it was hidden',
        'there is no file b below /srv/tftp; it was hidden',
        'there is no file b2 below /srv/tftp; it was hidden',
        'there is no file c below /srv/tftp',
        'it is left out: there is no file d below /srv/tftp',
        'it is left out: memtest',
      ],
    );
    const rows = reportText(made.remarks, ['tftp']).split('\n');
    assert.deepEqual(
      rows.filter((row) => /^\| default/.test(row)),
      [
        '| default:1:1, 2:1 | `label a` and 2 more | there is no file ... below /srv/tftp; it was hidden |',
        '| default:3:1 | `label c` | there is no file c below /srv/tftp |',
        '| default:4:1 | `label d` | it is left out: there is no file d below /srv/tftp |',
        '| default:5:1 | `label e` | it is left out: memtest |',
      ],
    );
  });
});

describe('the report of a hundred machines', () => {
  const machines = (line: (i: number, mac: string, ip: string) => string): string =>
    Array.from({ length: 100 }, (_, i) => {
      const hex = i.toString(16).padStart(2, '0');
      return `${line(i, `52:54:00:00:00:${hex}`, `10.0.0.${i + 2}`)}\n`;
    }).join('');
  const around = { addresses: new Map(), tree: false, interface: 'br0' };
  const rows: readonly [string, SiteFiles, (draft: SiteDraft, folder: string) => Promise<void>][] = [
    [
      'dhcpd',
      {
        conf: `authoritative; subnet 10.0.0.0 netmask 255.255.255.0 { }
          ${machines(
            (i, mac, ip) => `host a${i} { hardware ethernet ${mac}; fixed-address ${ip}; }
            host b${i} { hardware ethernet ${mac}; } host c${i} { hardware ethernet 06${mac.slice(2)}; fixed-address ${ip}, 10.9.0.${i}; }
            host d${i} { hardware ethernet 0a${mac.slice(2)}; fixed-address 10.6.0.${i}; }
            host e${i} { hardware ethernet 01${mac.slice(2)}; } host f${i} { fixed-address 10.7.0.${i}; }`,
          )}`,
      },
      (draft, folder) => readDhcpd(draft, join(folder, 'conf'), around),
    ],
    [
      'dnsmasq',
      {
        conf: `dhcp-range=10.0.0.200,10.0.0.250,255.255.255.0
          ${machines(
            (i, mac, ip) => `dhcp-host=${mac},a${i}.example,${ip},${i + 2}h\ndhcp-host=${mac},b${i},10.0.0.${i + 110}
            dhcp-host=06${mac.slice(2)},c${i},${ip}\ndhcp-host=0a${mac.slice(2)},set:t${i},d_${i},10.9.0.${i}
            dhcp-boot=tag:t${i},d${i}.0,server${i},10.0.0.9\ndhcp-boot=tag:u${i},e${i}.0`,
          )}`,
      },
      (draft, folder) => readDnsmasq(draft, join(folder, 'conf'), around).then(() => {}),
    ],
    [
      'Warewulf',
      {
        conf: `nodeprofiles: {}\nnodes:\n${machines(
          (i, mac, ip) => `  n${i}.cluster:
    profiles: [gone${i}]
    container name: image${i}
    network devices: { default: { hwaddr: "${mac}", ipaddr: ${ip}, netmask: 255.255.255.0 }, ib${i}: { ipaddr: 10.7.0.${i} } }
    ipmi: { ipaddr: 10.8.0.${i}, password: hunter${i} }`,
        )}`,
      },
      (draft, folder) => readWarewulf(draft, join(folder, 'conf'), around),
    ],
    [
      'pxelinux',
      {
        'pxelinux.cfg/default': `ui menu.c32\n${machines(
          (i) => `label a${i}\n kernel k${i}\n initrd i${i}\nlabel b${i}\n kernel k${i}\n initrd i${i}
          label c${i}\n com32 m${i}.c32\nlabel d${i}\n kernel menu.c32\n append gone${i}\ninclude lost${i}\nlabel e${i}\n kernel http://h/${i}`,
        )}`,
      },
      (draft, folder) => readTree(draft, folder),
    ],
  ];
  for (const [source, files, read] of rows) {
    it(`has a line for each reason: ${source}`, async () => {
      await withSiteFolder(files, async (folder) => {
        const made = new SiteDraft();
        await read(made, folder);
        const groups = byReason(made.remarks.filter(({ kind }) => kind !== 'taken'));
        assert.ok(groups.some(({ remarks }) => remarks.length >= 100));
        assert.ok(groups.length <= 15, groups.map(({ why }) => why).join('\n'));
      });
    });
  }
});
