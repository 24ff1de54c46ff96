import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { globMatcher, globSource, mergedPlaces } from './glob.ts';

const CASES: readonly (readonly [glob: string, path: string, matches: boolean])[] = [
  ['/usr/share/doc', '/usr/share/doc', true],
  ['/usr/share/doc', '/usr/share/doc/bash/README', true],
  ['/usr/share/doc/', '/usr/share/doc/bash', true],
  ['/usr/share/doc', '/usr/share/doc-base', false],
  ['/usr/share/doc', '/srv/usr/share/doc', false],
  ['/etc/*-', '/etc/shadow-', true],
  ['/etc/*-', '/etc/a/shadow-', false],
  ['/usr/lib/**/*.a', '/usr/lib/x86_64-linux-gnu/libc.a', true],
  ['/usr/lib/**/*.a', '/usr/lib/x/libc.so', false],
  ['/var/log/**', '/var/log/apt/term.log', true],
  ['/var/log/**', '/var/log', false],
  ['/a/?', '/a/b', true],
  ['/a/?', '/a/bc', false],
  ['/a/[!e]*', '/a/de', true],
  ['/a/[!e]*', '/a/en', false],
  ['/a/[a-c]x', '/a/bx', true],
  ['/a/g++', '/a/g++', true],
  ['/a/g++', '/a/ggg', false],
  ['/a.b', '/axb', false],
  ['/a/(b)|c', '/a/(b)|c', true],
  ['/a/[', '/a/[', true],
];

test('a glob names a path and all beneath it', () => {
  for (const [glob, path, matches] of CASES) {
    assert.equal(globMatcher([glob])(path), matches, `${glob} and ${path}`);
  }
});

test('awk reads a glob as JavaScript does', () => {
  for (const [glob, path, matches] of CASES) {
    const printed = execFileSync('awk', ['BEGIN { print (match(ENVIRON["P"], ENVIRON["G"]) ? "yes" : "no") }'], {
      env: { ...process.env, P: path, G: globSource(glob) },
      encoding: 'utf8',
    });
    assert.equal(printed.trim(), matches ? 'yes' : 'no', `${glob} and ${path}`);
  }
});

test('several globs match if one does, none if there are none', () => {
  assert.equal(globMatcher(['/x', '/y/*'])('/y/z'), true);
  assert.equal(globMatcher([])('/y/z'), false);
});

test('an old place means its new one too', () => {
  assert.deepEqual(mergedPlaces('/lib/firmware/*'), ['/lib/firmware/*', '/usr/lib/firmware/*']);
  assert.deepEqual(mergedPlaces('/library'), ['/library']);
});
