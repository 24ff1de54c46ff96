import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  formatSources,
  machineSources,
  mirrorSources,
  parseDeb822,
  parseOneLine,
  selectSettings,
  selectSources,
} from './sources.ts';

const ONE_LINE = `
# deb http://old.example/debian bookworm main
deb http://mirror.example.org/debian bookworm main contrib # ours
deb-src http://mirror.example.org/debian bookworm main
deb [arch=amd64,arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://security.debian.org/debian-security bookworm-security main
deb [signed-by=/etc/apt/keyrings/other.gpg] https://other.example/debian bookworm main
deb https://vendor.example/debian bookworm stable
deb http://mirror.example.org/debian bookworm-backports main
`;

const DEB822 = `Types: deb deb-src
# a comment
URIs: http://mirror.example.org/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.example.org/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`;

test("Debian's own lines are kept, others' and backports are not", () => {
  const selected = selectSources(parseOneLine(ONE_LINE), 'bookworm', 'bookworm');
  assert.equal(
    formatSources(selected),
    `Types: deb
URIs: http://mirror.example.org/debian
Suites: bookworm
Components: main contrib

Types: deb
URIs: http://security.debian.org/debian-security
Suites: bookworm-security
Components: main
Architectures: amd64 arm64
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
  );
});

test('deb822 files keep their keys, also those written in the file', () => {
  const selected = selectSources(parseDeb822(DEB822), 'bookworm', 'bookworm');
  assert.deepEqual(
    selected.map((source) => source.suites),
    [['bookworm', 'bookworm-updates'], ['bookworm-security']],
  );
  assert.deepEqual(parseDeb822(formatSources(selected)), selected);
  assert.match(formatSources(selected), /Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n \.\n abc\n/);
});

test('another suite is taken from the same mirrors', () => {
  const selected = selectSources(parseDeb822(DEB822), 'bookworm', 'trixie');
  assert.deepEqual(
    selected.map((source) => [source.uris[0], ...source.suites]),
    [
      ['http://mirror.example.org/debian', 'trixie', 'trixie-updates'],
      ['http://mirror.example.org/debian-security', 'trixie-security'],
    ],
  );
});

test("a recipe's mirrors are addresses or whole lines", () => {
  assert.deepEqual(
    mirrorSources(
      ['http://m/debian', 'deb [trusted=yes] file:/srv/debs ./ main', 'deb-src http://m/debian bookworm main'],
      'bookworm',
    ).map((source) => [source.uris[0], source.suites[0], source.fields.get('Trusted')]),
    [
      ['http://m/debian', 'bookworm', undefined],
      ['file:/srv/debs', './', 'yes'],
    ],
  );
});

test('of apt’s settings, those that reach the mirrors are taken', () => {
  const dump = `APT::Architecture "amd64";
Acquire::http::Proxy "http://10.0.0.1:3128";
Acquire::https::Verify-Peer "false";
Acquire::Check-Valid-Until "false";
Acquire::IndexTargets::deb::Packages::MetaKey "x";
Acquire::cdrom::mount "/media/cdrom/";
Acquire::http "";
Dir::Etc "etc/apt";
`;
  assert.deepEqual(selectSettings(dump), [
    'Acquire::http::Proxy "http://10.0.0.1:3128"',
    'Acquire::https::Verify-Peer "false"',
    'Acquire::Check-Valid-Until "false"',
  ]);
});

test('the machine is read from its files, and a machine without Debian gets an error', async () => {
  const etc = mkdtempSync(join(tmpdir(), 'etc-'));
  try {
    writeFileSync(join(etc, 'os-release'), 'ID=debian\nVERSION_CODENAME=bookworm\n');
    await assert.rejects(machineSources('bookworm', etc), { code: 'IMAGE_BUILD_FAILED' });
    mkdirSync(join(etc, 'apt/sources.list.d'), { recursive: true });
    writeFileSync(join(etc, 'apt/sources.list.d/debian.sources'), DEB822);
    writeFileSync(join(etc, 'apt/sources.list.d/off.list.disabled'), ONE_LINE);
    assert.equal((await machineSources('bookworm', etc)).length, 2);
    writeFileSync(join(etc, 'apt/sources.list'), ONE_LINE);
    assert.equal((await machineSources('bookworm', etc)).length, 4);
  } finally {
    rmSync(etc, { recursive: true, force: true });
  }
});
