// What our reader of dhcpd.conf takes is compared with the real dhcpd, which checks a configuration with `-t`.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ReveilleError } from '../../src/errors.ts';
import { SiteDraft } from '../../src/import/draft.ts';
import { addDhcpd } from '../../src/import/isc/draft/toDraft.ts';
import { OptionTable } from '../../src/import/isc/text/optionTable.ts';
import { parseConfiguration } from '../../src/import/isc/text/parser.ts';
import { PARAMETERS } from '../../src/import/isc/text/statements.ts';
import type { OptionType } from '../../src/import/isc/text/tree.ts';

const run = promisify(execFile);
const FIXTURES = join(import.meta.dirname, '../../src/import/testing/isc');

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reveille-dhcpd-'));
  await cp(FIXTURES, folder, { recursive: true });
  // Some include by the names that the files had on their server.
  for (const name of await readdir(folder, { recursive: true })) {
    const file = join(folder, name);
    if (!/\.(conf|hosts)$/.test(name)) continue;
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('include "/etc/dhcp/', `include "${folder}/`));
  }
});
after(() => rm(folder, { recursive: true }));

/** What dhcpd says of a configuration: nothing if it takes it. */
async function dhcpdOn(file: string): Promise<string> {
  try {
    await run('dhcpd', ['-t', '-4', '-cf', file], { cwd: folder });
    return '';
  } catch (error) {
    return (error as { stderr?: string }).stderr ?? String(error);
  }
}

async function dhcpdOnText(text: string): Promise<string> {
  const file = join(folder, 'tried');
  await writeFile(file, text);
  return dhcpdOn(file);
}

/** What we say of a configuration: nothing if we take it. */
function ourWords(text: string): string {
  try {
    const statements = parseConfiguration('tried', text, () => assert.fail());
    addDhcpd(statements, { addresses: new Map(), tree: false, resolved: new Map() }, new SiteDraft());
    return '';
  } catch (error) {
    if (error instanceof ReveilleError) return error.message;
    throw error;
  }
}

describe('the configurations of our tests', async () => {
  for (const name of (await readdir(FIXTURES)).filter((file) => file.endsWith('.conf'))) {
    it(`${name} is one that dhcpd takes`, async () => assert.equal(await dhcpdOn(join(folder, name)), ''));
  }
});

describe('what dhcpd refuses', () => {
  for (const text of [
    'subnet 10.0.0.0 netmask 255.255.255.0 { range 10.0.1.5 10.0.1.9; }',
    'subnet 10.0.0.1 netmask 255.255.255.0 { }',
    'subnet 10.0.0.0 netmask 255.255.255.0 { pool { allow members of "nobody"; range 10.0.0.5; } }',
    'option nosuch 5;',
    'option routers "10.0.0.1";',
    'option boot-size 70000;',
    'option ip-forwarding 7;',
    'option arch code 93 = unsigned integer 24;',
    'host a { hardware ethernet 1:2:zz; }',
    'subclass "nobody" 1:2:3;',
    'default-lease-time;',
    'if option host-name = { }',
    'authoritative',
    'shared-network a { subnet 10.0.0.0 netmask 255.255.255.0 { }',
    'filename boot.0;',
    'foo 1;',
    'foo "x";',
    'autoritative',
    'subnett 10.0.0.0 netmask 255.255.255.0 { }',
    'subnet 10.0.0.0 netmask 255.0.0.0 { subnet 10.1.0.0 netmask 255.255.0.0 { } }',
    'class "a" { match if known; } subnet 10.0.0.0 netmask 255.255.255.0 { pool { allow members of "A"; range 10.0.0.5; } }',
    'if option arch = 00:07 { }',
    'if exists arch { }',
    'class "a" { match option arch; }',
    'class "a" { spawn with option arch; }',
    'set x = option arch;',
    'log (info, option arch);',
    'on commit { set x = option arch; }',
    'ddns-hostname = option arch;',
    'if option arch = 00:07 { } option arch code 93 = unsigned integer 16;',
    'option server.nosuch 5;',
    'option agent.nosuch 5;',
    'option nosuch.a "x";',
    'option nosuch.a code 3 = text;',
    'option a code 250 = encapsulate nosuch;',
    'option option-200 1:2;',
    'append option domain-name "x";',
    'shared-network a { } subnet 10.0.0.0 netmask 255.255.255.0 { }',
    'subnet 10.0.0.0 netmask 255.255.255.0 { pool { allow known-clients; } }',
    'class "a" { match if known; match if option host-name = "b"; }',
    'class "a" { match hardware; match option host-name; }',
    'subnet 10.0.0.0 netmask 255.255.255.0 { option domain-search example.org; }',
    'subnet 10.0.0.0 netmask 255.255.255.0 { option v4-lost "example.org"; }',
    // A "}" that is missing in one block and too many further down.
    'host a { hardware ethernet 02:00:00:00:00:01; host b { hardware ethernet 02:00:00:00:00:02; } }',
  ]) {
    it(`is refused by us too: ${text}`, async () => {
      assert.notEqual(await dhcpdOnText(`${text}\n`), '');
      assert.notEqual(ourWords(text), '');
    });
  }
});

describe('what dhcpd takes', () => {
  for (const text of [
    'subnet 10.0.0.0 netmask 255.255.255.0 { range 10.0.0.9 10.0.0.5; }',
    'option dhcp-client-identifier "a\\001\\x02b";',
    'option domain-search "a.example.org", "b.example.org";',
    'option static-routes 10.1.0.0 10.0.0.1, 10.2.0.0 10.0.0.2;',
    'option slp-directory-agent true 10.0.0.1, 10.0.0.2;',
    'option r code 230 = array of { unsigned integer 8, ip-address }; option r 1 10.0.0.1, 2 10.0.0.2;',
    'option space S; option S.a code 1 = text; option s code 43 = encapsulate S; option S.a "x";',
    'option voip code 150 = { ip-address, ip-address }; option voip 10.0.0.1 10.0.0.2;',
    'option unknown-222 01:02:03;',
    'if not (option user-class = "a" or exists host-name) and known { max-lease-time 60; } elsif static { } else { }',
    'set a = concat ("x", encode-int (5, 16), reverse (1, hardware));',
    'switch (option host-name) { case "a": default-lease-time 60; break; default: default-lease-time 90; }',
    'on release or expiry { log (debug, "gone"); unset a; }',
    'class "a" { match if (option vendor-class-identifier ~= "^x" or option host-name ~~ "Y"); lease limit 3; }',
    'key k { algorithm hmac-md5; secret "c2VjcmV0"; } zone example.org. { primary 127.0.0.1; key k; }',
    'define f (a) { return concat (a, "x"); }',
    'filename boot; option host-name here;',
    'eval binary-to-ascii (10, 8, ".", leased-address);',
    'group { group { host a { hardware ethernet 02:00:00:00:00:01; uid "x"; } } }',
    'autoritative;',
    'a = "b";',
    'subnet 10.0.0.0 netmask 255.255.255.0 { pool { foo; range 10.0.0.5; } }',
    'host a { foo; hardware ethernet 01:00:5e:00:00:07; fixed-address 10.0.0.5; }',
    'host a { hardware ethernet 52:54:00:00:00; } host b { hardware ethernet; } host c { hardware ethernet 0:0:0:0:0:0; }',
    'class "A" { match if known; } subnet 10.0.0.0 netmask 255.255.255.0 { pool { allow members of "A"; range 10.0.0.5; } }',
    'class "a" { match hardware; } class "a" { match if known; }',
    'subnet 10.0.0.0 netmask 255.255.255.0 { } subnet 10.0.0.0 netmask 255.255.255.0 { range 10.0.0.5; }',
    'subnet 10.0.0.0 netmask 255.0.0.0 { range 10.2.0.5; } subnet 10.1.0.0 netmask 255.255.0.0 { range 10.1.0.5; }',
    'subnet 0.0.0.0 netmask 0.0.0.0 { } subnet 10.0.0.1 netmask 255.255.255.255 { }',
    'vendor-option-space nosuch; site-option-space "nosuch";',
    'option dhcp.routers 10.0.0.1; option unknown-300 1:2; option isc.media "x"; option server.filename "x";',
    'option space A; option A.b code 1 = text; option a.B "x"; if config-option server.ddns-hostname = "a" { }',
    'option space A; option vendor.a code 4491 = encapsulate A; option vendor-class.b code 9 = text; option vendor.c code 9 = text; option vendor.c "x";',
    'on expiry;',
    'subnet 10.0.0.0 netmask 255.255.255.0 { option domain-search "a.org b.org"; } option domain-search "a.org, b.org";',
    'host a { hardware ethernet 525400000001; fixed-address 10.0.0.5; } subnet 10.0.0.0 netmask 255.255.255.0 { }',
    'class "a" { match if known; match hardware; } subclass "a" 1:2:0:0:0:0:1 { lease limit 3; }',
  ]) {
    it(`is taken by us too: ${text}`, async () => {
      assert.equal(await dhcpdOnText(`${text}\n`), '');
      assert.equal(ourWords(text), '');
    });
  }
});

describe('where a statement stands', () => {
  const net = 'subnet 10.5.0.0 netmask 255.255.255.0';
  const classes = 'class "c" { match hardware; } group g { option domain-name "g"; }';
  const around: { readonly [block: string]: readonly [string, string] } = {
    'the file': [`${net} { }`, ''],
    'a shared-network': [`shared-network s { ${net} { }`, '}'],
    'a subnet': [`${net} {`, '}'],
    'a group': [`${net} { } group {`, '}'],
    'a pool': [`${net} { pool { range 10.5.0.9;`, '} }'],
    'a host': [`${net} { } host h { hardware ethernet 02:00:00:00:00:01;`, '}'],
    'a class': [`${net} { } class "d" { `, '}'],
    'a subclass': [`${net} { } subclass "c" 1:2:0:0:0:0:1 {`, '}'],
    'a condition': [`${net} { } if known {`, '}'],
    'an event': [`${net} { } on commit {`, '}'],
  };
  const statements = [
    'host i { hardware ethernet 02:00:00:00:00:02; }',
    'group { option domain-name "x"; }',
    'group "g";',
    'shared-network t { subnet 10.9.0.0 netmask 255.255.255.0 { } }',
    'subnet 10.8.0.0 netmask 255.255.255.0 { }',
    'pool { range 10.5.0.10; }',
    'class "e" { match if known; }',
    'subclass "c" 1:2:0:0:0:0:3;',
    'range 10.5.0.10;',
    'fixed-address 10.5.0.10;',
    'uid "x";',
    'host-identifier option agent.remote-id "x";',
    'match if known;',
    'lease limit 4;',
    'interface "eth0";',
    'server-identifier 10.5.0.1;',
    'allow members of "c";',
    'allow known-clients;',
    'deny unknown-clients;',
    'allow bootp;',
    'authoritative;',
    'option o code 200 = text;',
    'option space O;',
    'failover peer "f" { primary; }',
    'filename "x";',
    'vendor-option-space nosuch;',
  ];
  /** dhcpd takes a subnet within another in these, and only in these: an address belongs to one network of a site. */
  const ONLY_THEIRS = new Set(['a pool: shared-network t', 'a pool: subnet 10.8.0.0']);
  /** dhcpd has more to say of it than where it stands. */
  const NOT_OURS = new Set(['the file: failover peer', 'a shared-network: failover peer']);
  for (const [block, [before, behind]] of Object.entries(around)) {
    it(`in ${block} is right or wrong for us as it is for dhcpd`, async () => {
      for (const statement of statements) {
        const name = `${block}: ${statement.split(' ').slice(0, 2).join(' ')}`;
        const text = `${classes} ${before} ${statement} ${behind}\n`;
        const theirs = await dhcpdOnText(text);
        if (NOT_OURS.has(name)) continue;
        assert.equal(ourWords(text) === '', ONLY_THEIRS.has(name) ? false : theirs === '', `${name}: ${theirs}`);
      }
    });
  }
});

describe('reveille import', () => {
  const reveille = async (...words: string[]) => {
    const program = join(import.meta.dirname, '../../bin/reveille');
    const ended = await run(program, ['import', ...words], { cwd: folder }).catch((error: unknown) => error);
    const { code = 0, stdout = '', stderr = '' } = ended as { code?: number; stdout?: string; stderr?: string };
    return { code, stdout, stderr };
  };

  it('writes a site that loads, and takes the leases over', async () => {
    const ends = new Date(Date.now() + 3_600_000).toISOString().replaceAll('-', '/').replace('T', ' ').slice(0, 19);
    const lease = `lease 192.168.0.111 { ends 0 ${ends}; binding state active; hardware ethernet 52:54:00:00:00:99; }`;
    await writeFile(join(folder, 'dhcpd.leases'), `${lease}\n`);
    const sources = ['--dhcpd', 'rack.conf', '--interface', 'br0', '--leases', 'dhcpd.leases', '--state', 'state'];
    const { code, stdout } = await reveille(...sources, '--out', 'site', '--json');
    assert.equal(code, 0);
    const { nodes, networks, errors, remarks } = JSON.parse(stdout);
    assert.deepEqual([nodes, networks, errors], [3, 2, []]);
    assert.ok(
      remarks.some(
        ({ kind, what }: { kind: string; what: string }) => `${kind} ${what}` === 'taken lease 192.168.0.111',
      ),
    );
    assert.match(await readFile(join(folder, 'site/import-report.md'), 'utf8'), /lease 192\.168\.0\.111/);
  });

  it('ends with 1 where the configuration is wrong, and writes nothing', async () => {
    await writeFile(join(folder, 'wrong.conf'), 'authoritative;\nsubent 10.0.0.0 netmask 255.0.0.0 { }\n');
    const { code, stderr } = await reveille('--dhcpd', 'wrong.conf', '--out', 'nothing');
    assert.equal(code, 1);
    assert.match(stderr, /wrong\.conf:2:1: dhcpd.conf has no statement "subent"\n +did you mean "subnet"\?/);
    assert.ok(!(await readdir(folder)).includes('nothing'));
  });

  it('ends with 2 without an order', async () => {
    for (const words of [
      [],
      ['--out', 'x'],
      ['--dhcpd', 'rack.conf'],
      ['--dhcpd', 'rack.conf', '--out', 'x', '--state', 's'],
    ]) {
      assert.equal((await reveille(...words)).code, 2, words.join(' '));
    }
  });
});

describe('the names that we know', () => {
  it('of options are those of dhcpd, with values of the same form', async () => {
    const table = new OptionTable([]);
    const lines = table.names.flatMap((name) => {
      const [space = '', rest] = name.includes('.') ? name.split('.') : ['dhcp', name];
      const known = table.find({ space, name: rest ?? name });
      return known === undefined ? [] : [`option ${name} ${sample(known.type)};`];
    });
    assert.ok(lines.length > 110);
    assert.equal(await dhcpdOnText(`${lines.join('\n')}\n`), '');
    assert.doesNotMatch(ourWords(lines.join('\n')), /expected|no option/);
  });

  it('of statements are those of dhcpd', async () => {
    const texts = [...PARAMETERS].map(([keyword, { form }]) => {
      const statement = `${keyword} ${VALUES[keyword] ?? FORMS[form]};`;
      if (OF_HOSTS.has(keyword)) return `host ${keyword} { hardware ethernet 02:00:00:00:00:01; ${statement} }`;
      return keyword === 'interface'
        ? `shared-network s { ${statement} subnet 10.0.0.0 netmask 255.0.0.0 { } }`
        : statement;
    });
    const known = texts.filter((text) => !OF_OTHER_BUILDS.some((keyword) => text.startsWith(keyword)));
    const whole = `option space S; key k { algorithm hmac-md5; secret "c2VjcmV0"; }\n${known.join('\n')}\n`;
    assert.equal(await dhcpdOnText(whole), '');
    assert.equal(ourWords(whole), '');
  });
});

/** Not in the dhcpd of Debian, or only in its IPv6 mode. */
const OF_OTHER_BUILDS = ['use-eui-64', 'persist-eui-64-leases', 'range6', 'prefix6'];
const OF_HOSTS = new Set([
  'fixed-address',
  'fixed-address6',
  'fixed-prefix6',
  'host-identifier',
  'uid',
  'dynamic',
  'deleted',
]);
const FORMS = { number: '5', flag: 'on', text: '"a"', address: '10.0.0.1', addresses: '10.0.0.1', any: '"a"' };
const VALUES: { readonly [keyword: string]: string } = {
  'db-time-format': 'local',
  'ddns-local-address6': '2001:db8::1',
  'ddns-update-style': 'none',
  deleted: '',
  dynamic: '',
  'dynamic-bootp-lease-cutoff': '5',
  'fixed-address6': '2001:db8::1',
  'fixed-prefix6': '2001:db8:: / 64',
  'host-identifier': 'option dhcp6.client-id 1:2',
  'lease-id-format': 'hex',
  'local-address6': '2001:db8::1',
  'log-facility': 'local7',
  'omapi-key': 'k',
  'prefix-length-mode': 'prefer',
  'server-duid': 'LL',
  'site-option-space': '"S"',
  'vendor-option-space': 'S',
};

function sample(type: OptionType): string {
  switch (type.kind) {
    case 'integer':
      return '5';
    case 'flag':
      return 'true';
    case 'ip':
      return '10.0.0.1';
    case 'ip6':
      return '2001:db8::1';
    case 'text':
      return '"a"';
    case 'string':
    case 'space':
      return '01:02';
    case 'domain':
      return 'example.org';
    case 'domains':
      return '"example.org"';
    case 'nothing':
      return '';
    case 'record':
      return type.parts.map(sample).join(' ');
    case 'array':
      return sample(type.of);
  }
}
