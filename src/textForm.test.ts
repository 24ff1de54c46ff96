import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { formedText, interpreterProblem, type TextKind } from './textForm.ts';

/** The text, or `line:col message`. */
function read(kind: TextKind, content: string | Uint8Array): string {
  const form = formedText(kind, typeof content === 'string' ? Buffer.from(content) : content);
  return 'text' in form ? form.text : `${form.problem.line}:${form.problem.col} ${form.problem.message}`;
}

const BOM = '\ufeff';
const utf16 = (text: string, order: 'le' | 'be' = 'le') => {
  const bytes = Buffer.from(text, 'utf16le');
  return order === 'le' ? bytes : bytes.swap16();
};
const STRAY = 'a carriage return stands within this line';

const FORMS: readonly (readonly [string, string | Uint8Array, Readonly<Partial<Record<TextKind, string | RegExp>>>])[] =
  [
    ['plain', 'a\nb\n', { script: 'a\nb\n', hosts: 'a\nb\n', template: 'a\nb\n', secret: 'a\nb', yaml: 'a\nb\n' }],
    [
      'no line end',
      'a',
      { script: 'a\n', hosts: 'a\n', hostname: 'a\n', template: 'a', secret: 'a', yaml: 'a', table: 'a' },
    ],
    ['empty', '', { script: '', hosts: '', hostname: '', template: '', secret: '', yaml: '', table: '' }],
    [
      'CR LF',
      'a\r\nb\r\n',
      { script: 'a\nb\n', hosts: 'a\nb\n', hostname: 'a\nb\n', template: 'a\nb\n', secret: 'a\nb' },
    ],
    ['CR LF, kept', 'a\r\nb\r\n', { yaml: 'a\r\nb\r\n', table: 'a\r\nb\r\n' }],
    ['some CR LF', 'a\nb\r\nc', { script: 'a\nb\nc\n', template: 'a\nb\nc', yaml: 'a\nb\r\nc' }],
    ['CR CR LF', 'a\r\r\nb\r\r\n', { script: 'a\nb\n', template: 'a\nb\n', yaml: 'a\r\r\nb\r\r\n' }],
    ['CR alone', 'a\rb\r', { script: 'a\nb\n', hosts: 'a\nb\n', template: 'a\nb\n', yaml: 'a\nb\n', table: 'a\nb\n' }],
    ['CR at the very end', 'a\nb\r', { script: 'a\nb\n', secret: 'a\nb' }],
    [
      'a stray CR',
      'one\nx\ry\n',
      { script: `2:2 ${STRAY}`, template: `2:2 ${STRAY}`, yaml: `2:2 ${STRAY}`, table: `2:2 ${STRAY}` },
    ],
    ['a stray CR among CR LF', 'one\r\nx\ry\r\n', { hosts: `2:2 ${STRAY}`, yaml: `2:2 ${STRAY}` }],
    [
      'a byte order mark',
      `${BOM}a\n`,
      { script: 'a\n', hosts: 'a\n', template: 'a\n', secret: 'a', yaml: 'a\n', table: 'a\n' },
    ],
    [
      'one inside',
      `a\n${BOM}b\n`,
      { script: /^2:1 a byte order mark/, hosts: /^2:1/, secret: /^2:1/, table: /^2:1/, template: `a\n${BOM}b\n` },
    ],
    [
      'UTF-16 with a mark',
      utf16(`${BOM}a,b\n`),
      { script: /^1:1 .*UTF-16/, template: /^1:1 .*UTF-16/, secret: /UTF-16/, yaml: /UTF-16/, table: 'a,b\n' },
    ],
    ['UTF-16, the other way', utf16(`${BOM}a,b\n`, 'be'), { script: /^1:1 .*UTF-16/, hosts: /UTF-16/, table: 'a,b\n' }],
    ['UTF-16 without a mark', utf16('abc\n'), { script: /^1:1 .*UTF-16/, yaml: /UTF-16/, table: /UTF-16/ }],
    ['and the other way', utf16('abc\n', 'be'), { script: /^1:1 .*UTF-16/, hostname: /UTF-16/ }],
    [
      'NUL',
      'ab\nc\0d\n',
      { script: /^2:2 a NUL byte/, hosts: /^2:2/, template: /^2:2/, secret: /^2:2/, yaml: /^2:2/, table: /^2:2/ },
    ],
    [
      'Latin-1',
      Buffer.from('ab\ncd\xfce\n', 'latin1'),
      { script: /^2:3 .*0xfc/, template: /^2:3/, yaml: /^2:3/, table: /^2:3/ },
    ],
    ['half a character at the end', Buffer.from([0x61, 0xc3]), { script: /^1:2 .*0xc3/ }],
    ['a real U+FFFD', 'a\ufffd\n', { script: 'a\ufffd\n' }],
    [
      '#! behind blank lines',
      '\n \n#!/bin/bash\nx\n',
      { script: '#!/bin/bash\nx\n', template: '\n \n#!/bin/bash\nx\n' },
    ],
    ['#! behind a mark and CR LF', `${BOM}#!/bin/sh\r\nx\r\n`, { script: '#!/bin/sh\nx\n' }],
    ['#! behind comments', '# by me\n\n#!/bin/bash\nx\n', { script: /^3:1 #! stands behind other lines/ }],
    ['#! of a here-document', 'cat <<E\n#!/bin/sh\nE\n', { script: 'cat <<E\n#!/bin/sh\nE\n' }],
    ['#! that names nothing', '#!\nx\n', { script: /^1:1 #! names no program/ }],
    ['#! without a path', '#!bash\nx\n', { script: /^1:1 #! names no program/ }],
    ['#! with a blank', '#! /bin/sh -e\nx\n', { script: '#! /bin/sh -e\nx\n' }],
    ['no #!', 'x\n', { script: 'x\n' }],
  ];

for (const [words, content, kinds] of FORMS) {
  describe(words, () => {
    for (const [kind, expected] of Object.entries(kinds)) {
      test(kind, () => {
        const made = read(kind as TextKind, content);
        if (typeof expected === 'string') assert.equal(made, expected);
        else assert.match(made, expected);
      });
    }
  });
}

test('a shell runs a script as it was meant, whatever system it comes from', () => {
  const script = 'set -e\nx=1\nif [ "$x" = 1 ]; then\n  printf "%s." "$x" yes\nfi\ncase a in a) printf a ;; esac\n';
  for (const form of [
    script,
    script.replaceAll('\n', '\r\n'),
    script.replaceAll('\n', '\r'),
    `${BOM}${script}`,
    script.trimEnd(),
  ]) {
    assert.equal(execFileSync('sh', ['-c', read('script', form)], { encoding: 'utf8' }), '1.yes.a');
  }
});

test('programs that are laid byte for byte: what the kernel would not run', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['#!/bin/sh\nx\n', undefined],
    ['#!/bin/sh\r\nx\r\n', '1:10'],
    ['#!/bin/sh -e\r', '1:13'],
    [`${BOM}#!/bin/sh\n`, '1:1'],
    ['#!/bin/sh\nx\r\n', undefined],
    ['\x7fELF#!/bin/sh\r\n', undefined],
    ['echo\r\n', undefined],
  ];
  for (const [content, where] of cases) {
    const problem = interpreterProblem(Buffer.from(content));
    assert.equal(problem && `${problem.line}:${problem.col}`, where, JSON.stringify(content));
  }
});
