import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../../errors.ts';
import { configFor } from './configNames.ts';
import { parseConfig } from './parse.ts';

/** Reads the first of these files; they may include each other. */
async function parsed(files: { readonly [file: string]: string }) {
  const [[file, text] = ['', '']] = Object.entries(files);
  return parseConfig([{ file, text }], async ({ value }) => {
    const included = files[value];
    return included === undefined ? { why: 'there is no such file' } : { file: value, text: included };
  });
}

describe('a pxelinux configuration', () => {
  it('is read with keywords in any case, blanks of any kind, and Windows line ends', async () => {
    const { labels, ...rest } = await parsed({
      default:
        '# the rack\r\n\tDEFAULT\tnova quiet\r\nPrompt 1\r\nTIMEOUT 50\r\nMENU TITLE The ^rack\r\n' +
        'Label nova and more\r\n  KERNEL nova/vmlinuz\r\n\tAppend  rw  x="a  b" initrd=nova/i.img TFTP=10.0.0.2 \r\n  Menu Label ^Nova  node\r\n',
    });
    assert.equal(rest.default?.value, 'nova quiet');
    assert.deepEqual(rest.default?.place, { file: 'default', line: 2, col: 10 });
    assert.equal(rest.prompt?.value, true);
    assert.equal(rest.timeout?.value, 50);
    assert.equal(rest.title?.value, 'The ^rack');
    assert.equal(labels.length, 1);
    assert.equal(labels[0]?.value, 'nova');
    assert.equal(labels[0]?.title, 'Nova node');
    assert.deepEqual(labels[0]?.start, { value: 'nova/vmlinuz', place: { file: 'default', line: 7, col: 10 } });
    assert.equal(labels[0]?.append.value, 'rw  x="a  b" initrd=nova/i.img TFTP=10.0.0.2');
    assert.deepEqual(rest.unused, []);
  });

  it('has words for all labels that follow, which `append -` takes away', async () => {
    const { labels } = await parsed({
      default: 'append quiet\nipappend 2\nlabel a\nlabel b\nappend -\nipappend 0x3\nlabel c\nappend own\n',
    });
    assert.deepEqual(
      labels.map(({ append, ipappend }) => [append.value, ipappend]),
      [
        ['quiet', 2],
        ['', 3],
        ['own', 2],
      ],
    );
  });

  it('knows what a label starts, and that a label is its own kernel', async () => {
    const { labels } = await parsed({
      default: 'label memtest\nlabel disk\nlocalboot 0x80\nlabel sub\nconfig other.cfg\nlabel x\nlinux y\ninitrd a,b\n',
    });
    assert.deepEqual(
      labels.map(({ type, start, initrd }) => [type, start.value, initrd?.value]),
      [
        ['kernel', 'memtest', undefined],
        ['localboot', '0x80', undefined],
        ['config', 'other.cfg', undefined],
        ['linux', 'y', 'a,b'],
      ],
    );
  });

  it('has submenus, by `menu begin` and by `menu include` with a title', async () => {
    const { labels } = await parsed({
      default:
        'label a\nmenu begin tools\nmenu title ^Tools\nmenu label Old ^tools\nlabel b\nmenu hide\nmenu end\nlabel c\nmenu include more More things\nlabel e\n',
      more: 'label d\nmenu default\n',
    });
    assert.deepEqual(
      labels.map(({ value, menus, isHidden }) => [value, menus, isHidden]),
      [
        ['a', [], false],
        ['b', ['Old tools'], true],
        ['c', [], false],
        ['d', ['More things'], false],
        ['e', [], false],
      ],
    );
  });

  it('passes over what pxelinux passes over, and says so', async () => {
    const { unused } = await parsed({
      default:
        'kernel early\nkernal vmlinuz\nsay hi\nmenu color border 0\ninclude nothing\nlabel a\ntext help\nlabel b\nendtext\n',
    });
    assert.deepEqual(
      unused.map(({ value, place, directive }) => [value, place.line, directive]),
      [
        ['kernel early', 1, 'kernel'],
        ['kernal vmlinuz', 2, 'kernal'],
        ['say hi', 3, 'say'],
        ['menu color border 0', 4, 'menu color'],
        ['include nothing', 5, 'include'],
      ],
    );
    assert.match(String(unused[1]?.why), /no such directive/);
  });

  const passedOver: [string, { [file: string]: string }, string][] = [
    ['files that include each other', { a: 'include b\n', b: '\n  include a\n' }, 'b:2:3: a includes itself'],
    [
      'files that are included too deeply',
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, `include f${i + 1}\n`])),
      'f15:1:1: files are included too deeply',
    ],
    ['menu exit outside a submenu', { a: 'label b\nmenu exit\n' }, 'a:2:1: it stands in no submenu'],
    [
      'what chooses behind a byte order mark',
      { a: '\ufeffdefault b\nlabel b\n' },
      'a:1:1: a byte order mark stands in front of it, so pxelinux passes over this line',
    ],
  ];
  for (const [name, files, told] of passedOver) {
    it(`passes over ${name}, and reads on`, async () => {
      const { unused } = await parsed(files);
      assert.deepEqual(
        unused.map(({ place, why }) => `${place.file}:${place.line}:${place.col}: ${why}`),
        [told],
      );
    });
  }

  it('takes a label behind a byte order mark, and one without a name', async () => {
    const { labels } = await parsed({ a: '\ufefflabel b\n kernel c\nlabel\n' });
    assert.deepEqual(
      labels.map(({ value, start }) => [value, start.value]),
      [
        ['b', 'c'],
        ['', ''],
      ],
    );
  });

  const refused: [string, { [file: string]: string }, RegExp][] = [
    ['far too many lines', { a: 'label a\n'.repeat(200_001) }, /more than 200000 lines/],
  ];
  for (const [name, files, message] of refused) {
    it(`refuses ${name}`, async () => {
      await assert.rejects(parsed(files), (error) => {
        assert.ok(error instanceof ReveilleError);
        assert.equal(error.code, 'IMPORT_INVALID');
        const { file, line, col } = error.place ?? { file: '', line: 0, col: 0 };
        assert.match(`${file}:${line}:${col}: ${error.message}`, message);
        return true;
      });
    });
  }

  it('reads any text, or refuses it at a place', async () => {
    const word = fc.constantFrom(
      'label',
      'append',
      'menu begin',
      'menu end',
      'include a',
      'kernel',
      'text',
      'endtext',
      '-',
      'initrd=',
      '\t',
    );
    const line = fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.array(word, { maxLength: 4 }).map((all) => all.join(' ')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 30 }), async (lines) => {
        try {
          const { labels } = await parsed({ default: lines.join('\n'), a: 'label z\n' });
          for (const label of labels) assert.match(label.value, /^\S*$/);
        } catch (error) {
          assert.ok(error instanceof ReveilleError && error.code === 'IMPORT_INVALID' && error.place !== undefined);
        }
      }),
    );
  });
});

describe('the name of a configuration', () => {
  const rows: [string, object | undefined][] = [
    ['default', { kind: 'all' }],
    ['01-52-54-00-00-00-51', { kind: 'mac', mac: '52:54:00:00:00:51' }],
    ['01-52-54-00-00-00-AB', { kind: 'unasked', why: 'pxelinux asks for 01-52-54-00-00-00-ab, in small letters' }],
    ['0A000033', { kind: 'addresses', range: { first: 0x0a000033, last: 0x0a000033 }, digits: 8 }],
    ['0A00', { kind: 'addresses', range: { first: 0x0a000000, last: 0x0a00ffff }, digits: 4 }],
    ['0a00', { kind: 'unasked', why: 'pxelinux asks for 0A00, in large letters' }],
    ['b8945908-d6a6-41a9-611d-74a6ab80b83d', { kind: 'uuid' }],
    [
      '20-00-00-00-00-00-00-00-01',
      { kind: 'unasked', why: 'it is for a network that is not Ethernet, which Reveille does not boot from' },
    ],
    ['graphics.conf', undefined],
    ['default.bak', undefined],
  ];
  for (const [name, wanted] of rows) it(name, () => assert.deepEqual(configFor(name), wanted));
});
