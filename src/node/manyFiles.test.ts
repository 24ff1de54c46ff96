import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import { renderSource } from './render.ts';
import type { Source } from './sources.ts';
import { createRenderer } from './templates.ts';

const renderer = createRenderer();

function made(text: string, sees: object = {}) {
  const source: Source = {
    file: 'overlays/x/etc/app/all.files.j2',
    origin: 'overlay x',
    path: '/etc/app/all.files',
    mode: 0o644,
    owner: 'root',
    group: 'root',
    content: Buffer.from(text),
    template: true,
    several: true,
  };
  return renderSource(source, sees, renderer).map((file) => ({
    ...file,
    content: 'content' in file ? Buffer.from(file.content).toString() : '',
  }));
}

test('each file() begins a file: beside the template, or anywhere by an absolute path', () => {
  const files = made("{{ file('a') }}\none\ntwo\n{{ file('/srv/b', mode='0600', group='adm') }}\nthree\n");
  const shared = { owner: 'root', origin: 'overlay x' };
  assert.deepEqual(files, [
    { ...shared, path: '/etc/app/a', mode: 0o644, group: 'root', content: 'one\ntwo\n' },
    { ...shared, path: '/srv/b', mode: 0o600, group: 'adm', content: 'three\n' },
  ]);
});

test('a template may make no file at all', () => {
  assert.deepEqual(made('{% for one in none %}{{ file(one) }}{% endfor %}\n\n'), []);
});

test('what is no file name, no mode or in no file is refused', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["{{ file('../x') }}", /names no file/],
    ["{{ file('') }}", /names no file/],
    ["{{ file('a//b') }}", /names no file/],
    ["{{ file('x', mode=600) }}", /octal/],
    ["{{ file('x', owner='a b') }}", /neither a name nor a number/],
    ["early\n{{ file('x') }}", /before the first file/],
    ["{% for i in range(0, 1001) %}{{ file('x') }}{% endfor %}", /at most 1000/],
  ];
  for (const [text, words] of cases) {
    assert.throws(
      () => made(text),
      (error) => error instanceof ReveilleError && error.code === 'TEMPLATE_INVALID' && words.test(error.message),
      text,
    );
  }
});

test('whatever name is given, a file is laid at a plain absolute path or refused', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      try {
        for (const { path } of made('{{ file(name) }}', { name }))
          assert.match(path, /^(\/(?!\.{1,2}(\/|$))[^/\p{Cc}]+)+$/u);
      } catch (error) {
        assert(error instanceof ReveilleError, String(error));
      }
    }),
  );
});
