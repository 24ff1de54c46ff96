import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPlace, ReveilleError } from '../errors.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { readCsv } from './csv.ts';
import { Problems } from './invalid.ts';
import { readNodeTable } from './nodeTable.ts';

const cells = (text: string) => {
  const problems = new Problems();
  const rows = readCsv('t.csv', text, problems);
  problems.throwAll();
  return rows.map((row) => row.map((cell) => cell.text));
};
const nodes = (text: string) =>
  readNodeTable('t.csv', text).map(({ name, macs, ip, profiles, vars }) =>
    [
      name,
      macs.join('+'),
      typeof ip === 'number' ? formatIpv4(ip) : (ip ?? '-'),
      profiles.join('+'),
      JSON.stringify(vars),
    ].join(' '),
  );
function problem(text: string): string {
  try {
    readNodeTable('t.csv', text);
  } catch (error) {
    assert.ok(error instanceof ReveilleError && error.code === 'IMPORT_INVALID', String(error));
    return [`${error.place && formatPlace(error.place)}: ${error.message}`, ...(error.hint?.split('\n') ?? [])].join(
      ' | ',
    );
  }
  return assert.fail('it was read');
}

describe('a table', () => {
  const table: readonly [string, readonly (readonly string[])[]][] = [
    [
      'a,b\nc,d\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'a;b\r\nc;d',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'a\tb\n c \t d \n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      '\uFEFFa,b\n\n\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    ['"a, ""x""", "two\nlines" ,\n', [['a, "x"', 'two\nlines', '']]],
    [
      'a,,c\n,,\n',
      [
        ['a', '', 'c'],
        ['', '', ''],
      ],
    ],
    ['a,b;c\n', [['a', 'b;c']]],
    ['', []],
  ];
  for (const [text, rows] of table) it(JSON.stringify(text), () => assert.deepEqual(cells(text), rows));

  it('reads back whatever it quotes', () => {
    const cell = fc.string().map((text) => text.trim());
    const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 }), (rows) => {
        const text = rows.map((row) => row.map(quote).join(',')).join('\r\n');
        assert.deepEqual(cells(text), rows);
      }),
    );
  });

  it('never throws anything but our own error, and never stops', () => {
    const piece = fc.oneof(
      fc.constantFrom('"', ',', '\n', '\r', ';', '\t', 'name', 'mac', '525400000051', ' '),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        try {
          readNodeTable('t.csv', pieces.join(''));
        } catch (error) {
          assert.ok(error instanceof ReveilleError, String(error));
        }
      }),
    );
  });
});

describe('a table of machines', () => {
  it('has headings in any order, MAC addresses in every spelling, and variables', () => {
    const text = `IP;Hostname;MAC Address;profiles;vars.rack;vars.u
10.0.0.51;node01;52-54-00-00-00-51;compute;g6;7
next;node02;5254.0000.0052;"compute, gpu";g6;08
;node03;525400000053 5254000000A3;;true;
;node04;52 54 00 00 00 54;;;
`;
    assert.deepEqual(nodes(text), [
      'node01 52:54:00:00:00:51 10.0.0.51 compute {"rack":"g6","u":7}',
      'node02 52:54:00:00:00:52 next compute+gpu {"rack":"g6","u":"08"}',
      'node03 52:54:00:00:00:53+52:54:00:00:00:a3 -  {"rack":true}',
      'node04 52:54:00:00:00:54 -  {}',
    ]);
  });

  it('needs no headings for name, MAC and address', () => {
    assert.deepEqual(nodes('node01,525400-000051\nnode02,52:54:00:00:00:52,10.0.0.52\n'), [
      'node01 52:54:00:00:00:51 -  {}',
      'node02 52:54:00:00:00:52 10.0.0.52  {}',
    ]);
  });

  const wrong: readonly [string, string][] = [
    ['', 't.csv:1:1: the table is empty'],
    ['name,mack\nn,525400000051\n', 't.csv:1:1: there is no column'],
    ['name,mac,colour\nn,525400000051,red\n', 't.csv:1:10: unknown column "colour" | known columns'],
    ['name,mac,mac\n', 't.csv:1:10: column "mac" comes twice'],
    ['name,mac\nn,52540000005\n', 't.csv:2:3: "52540000005" is not a MAC address'],
    ['name,mac\n_n,525400000051\n', 't.csv:2:1: "_n" cannot name a node'],
    ['name,mac\n,525400000051\n', 't.csv:2:1: this machine has no name'],
    ['name,mac\nn\n', 't.csv:2:1: this machine has no MAC address'],
    ['name,mac,ip\nn,525400000051,10.0.0\n', 't.csv:2:16: "10.0.0" is not an IPv4 address'],
    ['name,mac\nn,525400000051,x\n', 't.csv:2:16: a cell too many'],
    ['name,mac\na,525400000051\nA,525400000052\n', 't.csv:3:1: name A stands in t.csv:2:1 already'],
    ['name,mac\na,525400000051\nb,52:54:00:00:00:51\n', 't.csv:3:3: MAC address 52:54:00:00:00:51 stands in'],
    ['a,525400000051,10.0.0.1\nb,525400000052,10.0.0.1\n', 't.csv:2:16: address 10.0.0.1 stands in'],
    ['name,mac\n"n,525400000051\n', 't.csv:2:1: this quote is never closed'],
    ['name,mac\n"n"x,525400000051\n', 't.csv:2:4: a cell goes on behind its closing quote'],
    ['name,mac\nn"x,525400000051\n', 't.csv:2:2: a quote inside a cell without quotes'],
    [
      'name,mac\nn,x\nm,y\n',
      't.csv:2:3: "x" is not a MAC address | such as 52:54:00:00:00:51 or 525400000051 | also: | t.csv:3:3',
    ],
  ];
  for (const [text, told] of wrong) {
    it(`is reported: ${told}`, () => assert.ok(problem(text).includes(told), problem(text)));
  }
});
