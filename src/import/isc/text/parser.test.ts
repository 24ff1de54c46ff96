import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPlace, ReveilleError } from '../../../errors.ts';
import { invalid } from '../../invalid.ts';
import { type Includes, parseConfiguration, parseStatements } from './parser.ts';
import { KEYWORDS, treatmentOf } from './statements.ts';
import type { Statement } from './tree.ts';

const NO_INCLUDES: Includes = (name, place) => {
  throw invalid(place, `no file ${name}`);
};

function parse(text: string, files: { readonly [name: string]: string } = {}): readonly Statement[] {
  return parseStatements('dhcpd.conf', text, (name, place) => {
    const included = files[name];
    return included === undefined ? NO_INCLUDES(name, place) : { file: name, text: included };
  });
}

/** The first statement without its places: what the tests compare. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'place')
      .map(([key, held]) => [key, plain(held)]),
  );
}

const words = (text: string) => ({ kind: 'words', text });
const text = (value: string) => ({ kind: 'text', text: value });
const word = (of: string) => ({ kind: 'word', word: of });
const action = (keyword: string, of: string, expressions: readonly unknown[]) => ({
  ...{ kind: 'action', keyword, words: of, expressions },
});
const packet = (name: string, space = 'dhcp') => ({ kind: 'option', option: { space, name }, from: 'packet' });

describe('a statement of dhcpd.conf', () => {
  const rows: readonly [string, unknown][] = [
    [
      'default-lease-time 600;',
      { kind: 'parameter', keyword: 'default-lease-time', value: { data: [[words('600')]] } },
    ],
    [
      'FileName "a\\"b\\x41\\101\\n";',
      { kind: 'parameter', keyword: 'filename', value: { data: [[{ ...text('a"bAA\n'), escaped: true }]] } },
    ],
    ['option routers 10.0.0.1, gw.example.org;', option('routers', [[words('10.0.0.1')], [words('gw.example.org')]])],
    [
      'option static-routes 10.1.0.0 10.0.0.1, 10.2.0.0 10.0.0.2;',
      option('static-routes', [
        [words('10.1.0.0'), words('10.0.0.1')],
        [words('10.2.0.0'), words('10.0.0.2')],
      ]),
    ],
    [
      'option dhcp-client-identifier 1:8:0:2b:\n 4c:39:ad;',
      option('dhcp-client-identifier', [[words('1:8:0:2b:4c:39:ad')]]),
    ],
    [
      'option PXE.mtftp-ip 1.2.3.4;',
      { kind: 'option', option: { space: 'PXE', name: 'mtftp-ip' }, how: 'set', value: { data: [[words('1.2.3.4')]] } },
    ],
    [
      'option arch code 93 = unsigned integer 16;',
      definition('arch', 93, { kind: 'integer', bits: 16, signed: false }),
    ],
    [
      'option r code 121 = array of integer 8;',
      definition('r', 121, { kind: 'array', of: { kind: 'integer', bits: 8, signed: false } }),
    ],
    [
      'option c code 230 = array of { boolean, ip-address, text };',
      definition('c', 230, {
        kind: 'array',
        of: { kind: 'record', parts: [{ kind: 'flag' }, { kind: 'ip' }, { kind: 'text' }] },
      }),
    ],
    ['option e code 43 = encapsulate VOIP;', definition('e', 43, { kind: 'space', space: 'VOIP' })],
    [
      'option space VOIP code width 2 length width 2 hash size 17;',
      { kind: 'option-space', space: 'VOIP', codeWidth: 2, lengthWidth: 2 },
    ],
    [
      'range dynamic-bootp 10.0.0.1 10.0.0.9;',
      { kind: 'range', bootp: true, first: words('10.0.0.1'), last: words('10.0.0.9') },
    ],
    ['range 10.0.0.5;', { kind: 'range', bootp: false, first: words('10.0.0.5'), last: words('10.0.0.5') }],
    ['not authoritative;', { kind: 'authoritative', not: true }],
    ['deny members of "phones";', { kind: 'permit', verb: 'deny', what: { kind: 'members', of: 'phones' } }],
    ['allow known clients;', { kind: 'permit', verb: 'allow', what: { kind: 'known' } }],
    ['ignore unknown-clients;', { kind: 'permit', verb: 'ignore', what: { kind: 'unknown' } }],
    ['deny dynamic bootp clients;', { kind: 'permit', verb: 'deny', what: { kind: 'dynamic-bootp' } }],
    [
      'deny after 4 2030/08/24 09:14:32;',
      { kind: 'permit', verb: 'deny', what: { kind: 'after', when: '4 2030/08/24 09:14:32' } },
    ],
    ['deny bootp;', { kind: 'permit', verb: 'deny', what: { kind: 'flag', flag: 'bootp' } }],
    [
      'class x { match substring (hardware, 1, 3); lease limit 4; }',
      {
        kind: 'class',
        name: 'x',
        body: [
          {
            kind: 'match',
            condition: false,
            expression: call('substring', [{ kind: 'word', word: 'hardware' }, number(1), number(3)]),
          },
          { kind: 'lease-limit', limit: words('4') },
        ],
      },
    ],
    ['subclass "x" 1:52:54:0:0:0:51;', { kind: 'subclass', of: 'x', data: { kind: 'bytes', bytes: '01525400000051' } }],
    [
      'subclass "x" "PXEClient" { filename "a"; }',
      {
        kind: 'subclass',
        of: 'x',
        data: text('PXEClient'),
        body: [{ kind: 'parameter', keyword: 'filename', value: { data: [[text('a')]] } }],
      },
    ],
    [
      'host a.b { hardware ethernet 52:54:0:0:0:51; group "g"; }',
      {
        kind: 'host',
        name: 'a.b',
        body: [
          { kind: 'hardware', type: 'ethernet', address: words('52:54:0:0:0:51') },
          { kind: 'parameter', keyword: 'group', value: { data: [[text('g')]] } },
        ],
      },
    ],
    [
      'ddns-hostname = pick (option fqdn.hostname, option host-name);',
      {
        kind: 'parameter',
        keyword: 'ddns-hostname',
        value: { expression: call('pick', [packet('hostname', 'fqdn'), packet('host-name')]) },
      },
    ],
    [
      'failover peer "f" { primary; mclt 60; split 128; load balance max seconds 3; peer address 10.0.0.3; }',
      { kind: 'foreign', keyword: 'failover peer', name: 'f' },
    ],
    ['failover peer "f";', { kind: 'foreign', keyword: 'failover', name: 'f' }],
    ['key k { algorithm hmac-md5; secret ab+/c==; };', { kind: 'foreign', keyword: 'key', name: 'k' }],
    [
      'zone 0.10.in-addr.arpa. { primary 10.0.0.1; key k; }',
      { kind: 'foreign', keyword: 'zone', name: '0.10.in-addr.arpa.' },
    ],
    [
      'subnet6 2001:db8::/32 { range6 2001:db8::1 2001:db8::9; option dhcp6.name-servers 2001:db8::1; }',
      { kind: 'foreign', keyword: 'subnet6', name: '2001:db8::/32' },
    ],
    [
      'on commit or release { set a = "b"; }',
      { kind: 'on', events: ['commit', 'release'], body: [action('set', 'set a', [text('b')])] },
    ],
    [
      'log (info, concat ("a", "b"));',
      action('log', 'log', [word('info'), { kind: 'call', name: 'concat', arguments: [text('a'), text('b')] }]),
    ],
    [
      'define f (a) { return concat (a); }',
      {
        ...action('define', 'define f', []),
        body: [action('return', 'return', [{ kind: 'call', name: 'concat', arguments: [word('a')] }])],
      },
    ],
    ['autoritative;', { kind: 'lone', word: 'autoritative', hint: 'did you mean "authoritative"?' }],
    ['a = "b";', action('set', 'a = ...', [text('b')])],
    [
      'host a { hardware ethernet; }',
      { kind: 'host', name: 'a', body: [{ kind: 'hardware', type: 'ethernet', address: words('') }] },
    ],
  ];
  for (const [source, tree] of rows) {
    it(source, () => {
      const [first] = parse(source);
      assert.deepEqual(plain(first), tree);
    });
  }

  function option(name: string, data: unknown) {
    return { kind: 'option', option: { space: 'dhcp', name }, how: 'set', value: { data } };
  }
  function definition(name: string, code: number, type: unknown) {
    return { kind: 'option-definition', option: { space: 'dhcp', name }, code, type };
  }
  function call(name: string, list: readonly unknown[]) {
    return { kind: 'call', name, arguments: list };
  }
  function number(value: number) {
    return { kind: 'number', value };
  }
});

describe('a condition', () => {
  const rows: readonly [string, unknown][] = [
    [
      'option arch = 00:07 or option arch = 00:09',
      { kind: 'binary', op: 'or', left: equals('0007'), right: equals('0009') },
    ],
    [
      'not option user-class = "iPXE"',
      { kind: 'not', of: { kind: 'binary', op: '=', left: packet('user-class'), right: text('iPXE') } },
    ],
    [
      'exists agent.circuit-id and known',
      {
        kind: 'binary',
        op: 'and',
        left: { ...packet('circuit-id', 'agent'), from: 'exists' },
        right: { kind: 'word', word: 'known' },
      },
    ],
    [
      '(static) and option a ~~ "x" or option a != "y"',
      {
        kind: 'binary',
        op: 'or',
        left: {
          kind: 'binary',
          op: 'and',
          left: { kind: 'word', word: 'static' },
          right: { kind: 'binary', op: '~~', left: packet('a'), right: text('x') },
        },
        right: { kind: 'binary', op: '!=', left: packet('a'), right: text('y') },
      },
    ],
    [
      'extract-int (option a, 16) = 1 + 2 * 3',
      {
        kind: 'binary',
        op: '=',
        left: { kind: 'call', name: 'extract-int', arguments: [packet('a'), { kind: 'number', value: 16 }] },
        right: {
          kind: 'binary',
          op: '+',
          left: { kind: 'number', value: 1 },
          right: { kind: 'binary', op: '*', left: { kind: 'number', value: 2 }, right: { kind: 'number', value: 3 } },
        },
      },
    ],
  ];
  for (const [source, tree] of rows) {
    it(source, () => {
      const [first] = parse(`if ${source} { filename "a"; }`);
      assert.ok(first?.kind === 'if');
      assert.deepEqual(plain(first.branches[0]?.condition), tree);
    });
  }

  it('has branches', () => {
    const [first] = parse('if known { } elsif static { } else if exists host-name { } else { filename "a"; }');
    assert.ok(first?.kind === 'if');
    assert.deepEqual(
      first.branches.map(({ condition }) => condition?.kind),
      ['word', 'word', 'option', undefined],
    );
  });

  it('may be a switch', () => {
    const [first] = parse('switch (option arch) { case 00:07: filename "a"; break; case "x": default: filename "b"; }');
    assert.ok(first?.kind === 'switch');
    assert.deepEqual(
      first.cases.map(({ is, body }) => [is?.kind, body.length]),
      [
        ['bytes', 2],
        ['text', 0],
        [undefined, 1],
      ],
    );
  });

  function equals(hex: string) {
    return { kind: 'binary', op: '=', left: packet('arch'), right: { kind: 'bytes', bytes: hex } };
  }
});

describe('places', () => {
  it('count lines and columns from 1, comments and texts of several lines included', () => {
    const statements = parse('# a\nauthoritative; # b\n  option host-name "a\nb"; range 10.0.0.1;');
    assert.deepEqual(
      statements.map(({ place }) => formatPlace(place)),
      ['dhcpd.conf:2:1', 'dhcpd.conf:3:3', 'dhcpd.conf:4:5'],
    );
  });

  it('name the included file', () => {
    const [, host] = parse('include "hosts.conf";', { 'hosts.conf': '\n authoritative;\nhost a { }' });
    assert.equal(formatPlace(host?.place ?? { file: '', line: 0, col: 0 }), 'hosts.conf:3:1');
  });
});

describe('what cannot be read', () => {
  const rows: readonly [string, string][] = [
    ['option routers 10.0.0.1', 'dhcpd.conf:1:24: expected ";" at the end of the statement, found the end of the file'],
    [
      'option routers 10.0.0.1\nauthoritative;',
      'dhcpd.conf:2:1: expected ";" at the end of the statement, found "authoritative"',
    ],
    [
      'shared-network a {\n subnet 10.0.0.0 netmask 255.0.0.0 { }\n',
      'dhcpd.conf:3:1: expected "}", found the end of the file',
    ],
    ['authoritative; }', 'dhcpd.conf:1:16: expected a statement, found "}"'],
    ['subclass "openstack" xx:xx:xx:xx:xx:xx;', 'dhcpd.conf:1:22: expected hex bytes apart by colons, found "xx"'],
    ['subclass "openstack" 1:xx:xx:xx:xx:xx:xx;', 'dhcpd.conf:1:24: expected hex bytes apart by colons, found "xx"'],
    ['host a { filename "pxelinux.0";user\n}', 'dhcpd.conf:1:32: dhcpd.conf has no statement "user"'],
    ['subent 10.0.0.0 netmask 255.0.0.0 { range 1; }', 'dhcpd.conf:1:1: dhcpd.conf has no statement "subent"'],
    ['subnet 10.0.0.300 netmask 255.0.0.0 { }', 'dhcpd.conf:1:8: expected an IPv4 address, found "10.0.0.300"'],
    ['default-lease-time two;', 'dhcpd.conf:1:20: expected a number, found "two"'],
    ['use-host-decl-names perhaps;', 'dhcpd.conf:1:21: expected on or off, found "perhaps"'],
    ['next-server 10.0.0.1, 10.0.0.2;', 'dhcpd.conf:1:23: next-server takes one value'],
    ['filename pxelinux.0;', 'dhcpd.conf:1:10: expected text in quotes, found "pxelinux.0"'],
    ['filename "pxelinux.0;\n', 'dhcpd.conf:1:10: this text has no closing quote'],
    ['option a code 93 = unsigned integer 12;', 'dhcpd.conf:1:37: expected 8, 16 or 32 bits, found "12"'],
    ['option a code 93 = string of text;', 'dhcpd.conf:1:27: expected ";" at the end of the statement, found "of"'],
    ['if option a = { }', 'dhcpd.conf:1:15: expected an expression, found "{"'],
    ['if option a ! "b" { }', 'dhcpd.conf:1:15: expected "=" behind "!", found "b"'],
    ['deny strangers;', 'dhcpd.conf:1:6: expected whom to allow or deny, found "strangers"'],
    ['failover peer "f" { prymary; }', 'dhcpd.conf:1:21: failover peer has no statement "prymary"'],
    ['include "missing.conf";', 'dhcpd.conf:1:9: no file missing.conf'],
    ['ldap-server "ldap";', 'dhcpd.conf:1:1: this configuration is kept in an LDAP directory, which cannot be read'],
  ];
  for (const [source, message] of rows) {
    it(message, () =>
      assert.equal(
        problemOf(() => parse(source)),
        message,
      ),
    );
  }

  it('is reported all at once, and the rest is read', () => {
    const error = errorOf(() => parse('foo 1;\noption a 1;\nbar { baz 1; { ; } }\nhost a { qux 1; }\n'));
    assert.match(String(error.hint), /dhcpd.conf:3:1: .*"bar"\ndhcpd.conf:4:10: .*"qux"$/);
  });

  it('tells of files that include each other', () => {
    const files = { 'a.conf': 'include "b.conf";', 'b.conf': '\ninclude "a.conf";' };
    const error = errorOf(() => parse('include "a.conf";', files));
    assert.equal(`${error.place?.file}:${error.place?.line} ${error.message}`, 'b.conf:2 "a.conf" includes itself');
  });

  it('may be as long as it likes', () => {
    assert.equal(parse('a;'.repeat(200_000)).length, 200_000);
    assert.equal(parse(`${'# a\n'.repeat(1_000_000)}a;`).length, 1);
    const cards = Array.from(
      { length: 20_000 },
      (_, i) => `hardware = 1:2:0:0:0:${(i >> 8).toString(16)}:${(i & 255).toString(16)}`,
    );
    const [one] = parseConfiguration('dhcpd.conf', `class "a" { match if ${cards.join(' or ')}; }`, NO_INCLUDES);
    assert.equal(one?.kind, 'class');
    assert.match(errorOf(() => parse(`set a = ${'1 + '.repeat(100_000)}1;`)).message, /more than 1000 operators/);
  });

  it('may be nested as deep as it likes', () => {
    for (const piece of ['group {', 'if ((', 'if not not ', 'option a code 1 = { array of { ']) {
      assert.match(errorOf(() => parse(piece.repeat(100_000))).message, /nested too deeply|expected/);
    }
  });
});

describe('a statement that cannot stand where it does', () => {
  const rows: readonly [string, string, RegExp][] = [
    ['host a {\n host b { }\n}', '2:2 "host b" cannot stand in a host', /block that begins in line 1 is not closed/],
    [
      'class "a" { subnet 10.0.0.0 netmask 255.0.0.0 { } }',
      '1:13 "subnet 10.0.0.0 netmask 255.0.0.0" cannot stand in a class',
      /line 1/,
    ],
    ['range 10.0.0.5;', '1:1 "range 10.0.0.5" cannot stand outside of all blocks', /it can stand in a subnet, a pool/],
    ['if known { host a { } }', '1:12 "host a" cannot stand in what runs for each client', /line 1/],
    ['group { option a code 250 = text; }', '1:9 "option a code 250" cannot stand in a group', /outside of all blocks/],
    ['allow members of "a";', '1:1 "allow members of \\"a\\"" cannot stand outside of all blocks', /in a pool/],
    ['shared-network a { group { } }', '1:1 shared-network "a" has no subnet', /subnets/],
    ['subnet 10.0.0.0 netmask 255.0.0.0 { pool { } }', '1:37 this pool has no range', /range/],
    ['class a { match if known; match if known; }', '1:27 a class has one "match if"', /"or"/],
  ];
  for (const [source, message, hint] of rows) {
    it(source, () => {
      const error = errorOf(() => parseConfiguration('dhcpd.conf', source, NO_INCLUDES));
      const { line, col } = error.place ?? assert.fail();
      assert.equal(`${line}:${col} ${error.message}`, message);
      assert.match(error.hint ?? '', hint);
    });
  }
});

describe('every statement', () => {
  // Facts of dhcpd.conf(5), in the order of the page.
  const LISTED =
    `include shared-network subnet subnet6 range range6 prefix6 host group unknown-clients bootp booting duplicates declines
    client-updates leasequery abandon-lease-time adaptive-lease-time-threshold always-broadcast always-reply-rfc1048 authoritative
    boot-unknown-clients check-secs-byte-order db-time-format ddns-hostname ddns-domainname ddns-dual-stack-mixed-mode
    ddns-guard-id-must-match ddns-local-address4 ddns-local-address6 ddns-other-guard-is-dynamic ddns-rev-domainname ddns-update-style
    ddns-updates default-lease-time delayed-ack max-ack-delay dhcp-cache-threshold do-forward-updates dont-use-fsync
    dynamic-bootp-lease-cutoff dynamic-bootp-lease-length echo-client-id filename fixed-address fixed-address6 fixed-prefix6
    get-lease-hostnames hardware host-identifier ignore-client-uids infinite-is-reserved lease-file-name dhcpv6-lease-file-name
    lease-id-format limit-addrs-per-ia limit-prefs-per-ia local-port local-address local-address6 bind-local-address6 log-facility
    log-threshold-high log-threshold-low max-lease-time min-lease-time min-secs next-server omapi-port one-lease-per-client
    persist-eui-64-leases pid-file-name dhcpv6-pid-file-name ping-check ping-cltt-secs ping-timeout ping-timeout-ms preferred-lifetime
    prefix-length-mode release-on-roam remote-port server-identifier server-id-check server-duid server-name dhcpv6-set-tee-times
    site-option-space stash-agent-options update-conflict-detection update-optimization update-static-leases use-eui-64
    use-host-decl-names use-lease-addr-for-default-route vendor-option-space option pool pool6 class subclass match spawn lease
    key zone on if switch set unset define log execute eval add allow deny ignore omapi-key`.split(/\s+/);

  for (const keyword of LISTED) {
    it(`${keyword} is read or reported`, () => {
      const treatment = treatmentOf(keyword);
      assert.ok(treatment !== undefined, `${keyword} is not known`);
      if (treatment !== 'taken') assert.match(Object.values(treatment)[0] ?? '', /^.{15,}$/);
    });
  }

  it('is suggested where it was misspelled', () => {
    assert.equal(errorOf(() => parse('max-lease-tine 5;')).hint, 'did you mean "max-lease-time"?');
    assert.ok(KEYWORDS.length > 100);
  });
});

describe('any text', () => {
  const OWN = (error: unknown) =>
    error instanceof ReveilleError && error.code === 'IMPORT_INVALID' && error.place !== undefined;
  const tries = (source: string) => {
    try {
      parse(source);
    } catch (error) {
      if (!OWN(error)) throw error;
    }
  };

  it('is read or reported, never more', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), tries), { numRuns: 2000 });
  });

  it('made of the pieces of a configuration too', () => {
    const pieces = [
      ...KEYWORDS,
      '{',
      '}',
      ';',
      ';',
      ',',
      '=',
      '(',
      ')',
      '"',
      '"a"',
      '10.0.0.1',
      '1:2:3',
      ':',
      '.',
      'x',
      '#',
      '\n',
      '-1',
      'of',
      'peer',
      'code',
    ];
    const soup = fc.array(fc.constantFrom(...pieces), { maxLength: 80 }).map((list) => list.join(' '));
    fc.assert(fc.property(soup, tries), { numRuns: 3000 });
  });
});

function errorOf(run: () => unknown): ReveilleError {
  try {
    run();
  } catch (error) {
    if (error instanceof ReveilleError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function problemOf(run: () => unknown): string {
  const { place, message } = errorOf(run);
  return `${place === undefined ? '?' : formatPlace(place)}: ${message}`;
}
