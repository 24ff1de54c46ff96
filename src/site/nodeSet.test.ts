import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import { MOST_WORDS, readBrackets } from './brackets.ts';
import { foldNames } from './foldNames.ts';
import { namesOneNode, selectNodes } from './nodeSet.ts';
import { ip, mac, nodeOf } from './testing/fixture.ts';

const words = (text: string, radix?: 10 | 16) => {
  const read = readBrackets(text, radix);
  return 'problem' in read ? read.problem : read.words();
};

test('a word with brackets stands for the words that pdsh and clush would make of it', () => {
  const table: readonly [string, readonly string[]][] = [
    ['node01', ['node01']],
    ['node[01-03,07,10-12]', ['node01', 'node02', 'node03', 'node07', 'node10', 'node11', 'node12']],
    ['n[8-11]', ['n8', 'n9', 'n10', 'n11']],
    ['n[08-11]', ['n08', 'n09', 'n10', 'n11']],
    ['n[098-101]', ['n098', 'n099', 'n100', 'n101']],
    ['r[1-2]n[01-02]', ['r1n01', 'r1n02', 'r2n01', 'r2n02']],
    ['[1-2]-x', ['1-x', '2-x']],
    ['n[ 1 , 2 ]', ['n1', 'n2']],
    ['n[0-1]', ['n0', 'n1']],
  ];
  for (const [text, expected] of table) assert.deepEqual(words(text), expected, text);
});

test('hexadecimal brackets count as MAC addresses do', () => {
  assert.deepEqual(words('52:54:00:00:00:[0e-11]', 16), [
    '52:54:00:00:00:0e',
    '52:54:00:00:00:0f',
    '52:54:00:00:00:10',
    '52:54:00:00:00:11',
  ]);
  assert.equal(words('52:54:00:00:00:[51-90]', 16).length, 64);
});

test('a word that cannot be read says what is wrong with it', () => {
  const table: readonly [string, RegExp][] = [
    ['n[1-999999999]', /more than 65536/],
    [`n[1-65536][0-1]`, /more than 65536/],
    ['n[3-1]', /runs backwards/],
    ['n[1-03]', /not of one width/],
    ['n[]', /not a list of numbers/],
    ['n[a-b]', /not a list of numbers/],
    ['n[1-2', /no partner/],
    ['n1]', /no partner/],
    ['n[[1]]', /no partner/],
    ['n[1-9999999999999999]', /not a list of numbers/],
  ];
  for (const [text, problem] of table) assert.match(String(words(text)), problem, text);
});

const nodes = [
  ...['r1n01', 'r1n02', 'r2n01', 'r2n02'].map((name, i) =>
    nodeOf(name, [mac(`52:54:00:00:00:0${i}`)], { profiles: ['compute'] }),
  ),
  nodeOf('store', [mac('52:54:00:00:01:00'), mac('52:54:00:00:01:01')], {
    ip: ip('10.0.0.9'),
    profiles: ['ceph', 'base'],
  }),
];
const chosen = (text: string) => selectNodes(nodes, text).map(({ name }) => name);

test('nodes are named by name, MAC, address, range, glob, profile and lists of these', () => {
  const table: readonly [string, readonly string[]][] = [
    ['store', ['store']],
    ['10.0.0.9', ['store']],
    ['52-54-00-00-01-01', ['store']],
    ['r[1-2]n[01-02]', ['r1n01', 'r1n02', 'r2n01', 'r2n02']],
    ['r2n01,store,r2n01', ['r2n01', 'store']],
    [' store , r1n01 ', ['store', 'r1n01']],
    ['r?n02', ['r1n02', 'r2n02']],
    ['*', ['r1n01', 'r1n02', 'r2n01', 'r2n02', 'store']],
    ['r[1-2]n*1', ['r1n01', 'r2n01']],
    ['*n01', ['r1n01', 'r2n01']],
    ['@compute', ['r1n01', 'r1n02', 'r2n01', 'r2n02']],
    ['@c*', ['r1n01', 'r1n02', 'r2n01', 'r2n02', 'store']],
    ['@base,r1n01', ['store', 'r1n01']],
  ];
  for (const [text, expected] of table) assert.deepEqual(chosen(text), expected, text);
});

test('what no node fits is an error that says what was meant', () => {
  const table: readonly [string, string, RegExp][] = [
    ['stoer', 'NODE_UNKNOWN', /did you mean "store"/],
    ['r[1-3]n01', 'NODE_UNKNOWN', /did you mean "r[12]n01"/],
    ['x*', 'NODE_UNKNOWN', /node list/],
    ['@computer', 'NODE_UNKNOWN', /did you mean "compute"/],
    ['@zzz', 'NODE_UNKNOWN', /profiles: compute, ceph, base/],
    ['10.0.0.8', 'NODE_UNKNOWN', /./],
    ['', 'NODE_SET_INVALID', /write node01/],
    [',,', 'NODE_SET_INVALID', /write node01/],
    ['r[1-', 'NODE_SET_INVALID', /write node01/],
  ];
  for (const [text, code, hint] of table) {
    assert.throws(
      () => chosen(text),
      (error: ReveilleError) => error.code === code && hint.test(error.hint ?? ''),
      text,
    );
  }
});

test('a single name differs from a set that may hold one', () => {
  for (const text of ['node01', '10.0.0.9', '52:54:00:00:00:51']) assert.ok(namesOneNode(text), text);
  for (const text of ['node[01]', 'n*', 'n?', '@x', 'a,b', 'a b']) assert.ok(!namesOneNode(text), text);
});

test('names fold into ranges', () => {
  const table: readonly [string, string][] = [
    ['node01 node02 node03', 'node[01-03]'],
    ['node02 node01 node04', 'node[01-02,04]'],
    ['n9 n10 n08', 'n[9,08,10]'],
    ['n9 n10 n11', 'n[9-11]'],
    ['n099 n100 n101', 'n[099-101]'],
    ['r1n01 r1n02 r2n01 r2n02 store', 'r[1-2]n[01-02] store'],
    ['r1n01 r1n02 r2n01', 'r1n[01-02] r2n01'],
    ['store', 'store'],
    ['a1 a1 a1', 'a1'],
  ];
  for (const [names, expected] of table) assert.equal(foldNames(names.split(' ')).join(' '), expected, names);
  assert.deepEqual(foldNames([]), []);
});

const name = fc
  .array(fc.oneof(fc.constantFrom('n', 'r', 'node-', 'x'), fc.stringMatching(/^[0-9]{1,4}$/)), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => parts.join(''));

test('folded names read back as the same names, each once', () => {
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 60 }), (names) => {
      const back = foldNames(names).flatMap((word) => words(word));
      assert.deepEqual(back.toSorted(), names.toSorted());
    }),
  );
});

test('a rack folds into one word', () => {
  const rack = Array.from({ length: 2000 }, (_, i) => `node${String(i + 1).padStart(4, '0')}`);
  assert.deepEqual(foldNames(rack), ['node[0001-2000]']);
});

test('no text makes more names than allowed, nor any error but our own', () => {
  const piece = fc.oneof(fc.constantFrom('[', ']', ',', '-', '*', '?', '@', ' ', 'n', '0', '9', '[1-9]'), fc.string());
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      const read = readBrackets(text);
      if (!('problem' in read)) {
        assert.equal(read.words().length, read.count);
        assert.ok(read.count <= MOST_WORDS);
      }
      try {
        selectNodes(nodes, text);
      } catch (error) {
        assert.ok(error instanceof ReveilleError, String(error));
      }
    }),
  );
});
