import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { SecretMask } from '../../src/node/secretMask.ts';
import { serviceTrouble } from '../../src/timeline/serviceTrouble.ts';

// What a node's agent hides, by each awk that a node may have, and by the shells that call it.

const AGENT = join(import.meta.dirname, '../../src/node/agent');
const LOGS = join(import.meta.dirname, '../../src/timeline/serviceLogs');
const folder = mkdtempSync(join(tmpdir(), 'reveille-hide-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const AWKS: readonly (readonly string[])[] = [['mawk'], ['busybox', 'awk']];
const SHELLS: readonly (readonly string[])[] = [['dash'], ['busybox', 'sh']];

/** Lines that hold a secret, and what is left of them. */
const HIDDEN: readonly (readonly [line: string, shown: string])[] = [
  ['OS_PASSWORD=geheim rest', 'OS_PASSWORD=***'],
  ['  export OS_PASSWORD="ge heim"', '  export OS_PASSWORD=***'],
  ['secret_key = a b c', 'secret_key = ***'],
  ['token: abcdef next', 'token: *** next'],
  ['user x password=geheim, host y', 'user x password=***, host y'],
  ['{"auth": {"password": "ab\\"cd ef", "user": "x"}}', '{"auth": {"password": ***, "user": "x"}}'],
  ['"{\\"password\\": \\"ab\\\\\\"cd\\", \\"user\\": \\"x\\"}"', '"{\\"password\\": ***, \\"user\\": \\"x\\"}"'],
  ["{'adminPass': 'geheim', 'admin_pass': u'geheim', 'id': 1}", "{'adminPass': ***, 'admin_pass': ***, 'id': 1}"],
  ["password: 'it''s geheim' # yaml", 'password: *** # yaml'],
  ["x password='it'\\''s geheim' y", 'x password=*** y'],
  ['"password": "never ends', '"password": ***'],
  ['Authorization: Bearer abcdef012', 'Authorization: ***'],
  ["curl -H 'X-Auth-Token: abc' http://h/", "curl -H 'X-Auth-Token: *** http://h/"],
  ['got bearer abcdefghijklmnopqrstuv==', 'got bearer ***'],
  ['nova --os-password geheim --os-user x', 'nova --os-password *** --os-user x'],
  ['<password>geheim</password>', '<password>***</password>'],
  [
    'mysql+pymysql://nova:a/b@c@db/nova and rabbit://u:p@h1,u:p@h2/',
    'mysql+pymysql://***@db/nova and rabbit://***@h2/',
  ],
  ['root:$6$salt$abcdefgh/.:19000:0:', 'root:***:19000:0:'],
  ['issued gAAAAABlabcdefghijklmnopqrstuvwxyz-_= to x', 'issued *** to x'],
  ['db_password => "geheim"', 'db_password => ***'],
];

/** Lines that stay as they are. */
const SHOWN: readonly string[] = [
  'Password for nova is asked for',
  'bearer of news',
  '12 tests passed: 11',
  '--password --next',
  'http://10.0.0.2:8080/node/v1/wait?mac=52:54:00:00:00:51',
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'umlaut ä, euro €, smile 😀, tab\there',
  '',
];

for (const awk of AWKS) {
  const hide = (text: string | Buffer, mask = '', joined = false): string => {
    writeFileSync(join(folder, 'mask'), mask);
    const [program = '', ...first] = awk;
    const given = [
      ...first,
      '-v',
      `mask=${join(folder, 'mask')}`,
      ...(joined ? ['-v', 'joined=1'] : []),
      '-f',
      join(AGENT, 'hide.awk'),
    ];
    return execFileSync(program, given, { input: text, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  };

  describe(`hide.awk in ${awk.join(' ')}`, () => {
    it('hides what looks like a secret, whatever quotes it has', () => {
      const shown = hide(HIDDEN.map(([line]) => `${line}\n`).join(''))
        .trimEnd()
        .split('\n');
      assert.deepEqual(
        shown,
        HIDDEN.map(([, expected]) => expected),
      );
    });

    it('leaves the rest as it is', () => {
      assert.equal(hide(SHOWN.map((line) => `${line}\n`).join('')), SHOWN.map((line) => `${line}\n`).join(''));
    });

    it('hides private keys, whole or the lines of one', () => {
      const line = 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz';
      const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${line}\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n`;
      assert.equal(hide(`a\n${key}b\n${line}\n`), 'a\n***\n***\n***\n***\nb\n***\n');
    });

    it('hides each text of the mask, the longest first, and every form that a filter makes of a secret', () => {
      assert.equal(hide('xabcdefy abc\n', 'abcdef\nabc\n'), 'x***y ***\n');
      fc.assert(
        fc.property(fc.string({ minLength: 6, maxLength: 24, unit: 'grapheme' }), (secret) => {
          const mask = SecretMask.of([secret]).agentList;
          const forms = mask
            .trimEnd()
            .split('\n')
            .filter((form) => form !== '');
          const shown = hide(forms.map((form) => `<${form}>\n`).join(''), mask);
          for (const line of shown.split('\n')) {
            for (const form of forms)
              assert.ok(!line.includes(form) || form === '***', `${JSON.stringify(form)} in ${line}`);
          }
        }),
        { numRuns: 40 },
      );
    });

    it('takes out what a terminal would obey, and keeps text', () => {
      const raw = Buffer.concat([
        Buffer.from('a\u001b[31mred\u001b[0m \u001b]0;t\u0007 \u009b2J\u202e\u2066x\u200f é€😀 '),
        Buffer.from([0x9b, 0x32, 0x4a, 0xc3, 0xe2, 0x82, 0xf5, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
        Buffer.from('\n'),
      ]);
      const shown = hide(raw);
      assert.equal(shown, 'ared  ]0;t   2J  x  é€😀 ?2J?????????\n');
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          const input = Buffer.from(bytes.map((byte) => (byte === 0 ? 1 : byte)));
          const text = hide(Buffer.concat([input, Buffer.from('\n')]));
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
          assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]/);
        }),
        { numRuns: 60 },
      );
    });

    it('keeps what tells of the trouble of a service', () => {
      for (const name of readdirSync(LOGS)) {
        const log = readFileSync(join(LOGS, name), 'utf8');
        const { line: _, ...before } = serviceTrouble(log) ?? {};
        const { line: __, ...shown } = serviceTrouble(hide(log)) ?? {};
        assert.deepEqual(shown, before, name);
      }
    });
  });
}

for (const shell of SHELLS) {
  describe(`hide.sh in ${shell.join(' ')}`, () => {
    const run = (lines: string, input = ''): string => {
      const [program = '', ...first] = shell;
      const prelude = `set -u; LIB=${AGENT}; . $LIB/talk.sh; RUN=${folder}; WORK=${folder}; cd ${folder}; load_mask\n`;
      return execFileSync(program, [...first, '-c', prelude + lines], { encoding: 'utf8', input });
    };

    it('makes one line of a message, without a process where there is nothing to hide', () => {
      writeFileSync(join(folder, 'mask'), 'hunter2 with * and ?\n$(id)\n');
      const printed = run(`say 'a  plain line'
        say 'hunter2 with * and ? and $(id)'
        say "$(printf 'two\\nlines \\033[2J\\302\\233 end')"
        say 'password: geheim'
        awk() { echo awk was called; }
        say 'network eth0 10.0.0.51 (2 of 3), a+b; -n /etc/x *'
        masked() { :; }`);
      assert.equal(
        printed,
        [
          'reveille: a  plain line',
          'reveille: *** and ***',
          'reveille: two lines   end',
          'reveille: password: ***',
          'reveille: network eth0 10.0.0.51 (2 of 3), a+b; -n /etc/x *',
          '',
        ].join('\n'),
      );
    });

    it('never shows part of a secret where the beginning of a log is cut off', () => {
      const secret = 'hunter2-with-a-long-end';
      writeFileSync(join(folder, 'mask'), `${secret}\n`);
      for (let shift = 0; shift <= secret.length + 2; shift++) {
        writeFileSync(join(folder, 'log'), `begin ${'x'.repeat(100)}${secret}${'y'.repeat(8192 - shift - 2)}\nz\n`);
        assert.equal(run('tail_of log'), '...\nz\n', `${shift}`);
      }
      writeFileSync(join(folder, 'log'), `${secret} `.repeat(5000));
      assert.equal(run('tail_of log').trim(), '...');
      writeFileSync(join(folder, 'log'), `${secret}\n`.repeat(5000));
      assert.match(run('tail_of log'), /^(\.\.\.\n)?(\*\*\*\n)+$/);
    });

    it('adds to the mask what a bundle brings, keeps what it hid before, and sorts by length', () => {
      writeFileSync(join(folder, 'mask'), 'old secret\nab\n');
      writeFileSync(join(folder, 'brought'), 'new\nold secret\na\tlonger one\n');
      run('add_to_mask brought');
      assert.equal(readFileSync(join(folder, 'mask'), 'utf8'), 'a\tlonger one\nold secret\nnew\n');
    });
  });
}
