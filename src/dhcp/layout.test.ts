import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { OPTION } from '../model/options.ts';
import { clientOf } from './client.ts';
import { layOut, type Rooms, sizeOf } from './layout.ts';
import { type DhcpPacket, decodePacket, encodeWithin } from './packet.ts';
import { boundsFor } from './reply.ts';
import { machine, requestOf, type Said, say } from './testing/fixture.ts';

const bytes = (length: number, fill = 7): Uint8Array => new Uint8Array(length).fill(fill);
const NOTHING = new Uint8Array();
const codesIn = (pieces: readonly (readonly [number, Uint8Array])[]) => pieces.map(([code]) => code);

describe('options in fields', () => {
  const rooms: Rooms = { options: 40, file: 20, sname: 10 };

  test('stand in the first field that has room, the important ones first', () => {
    const options = new Map([
      [200, bytes(8)],
      [54, bytes(4)],
      [201, bytes(30)],
      [53, bytes(1)],
      [202, bytes(6)],
    ]);
    const { options: main, file, sname, left } = layOut(options, NOTHING, rooms);
    assert.deepEqual([codesIn(main), codesIn(file), codesIn(sname), left], [[53, 54, 200, 202], [], [], [201]]);
  });

  test('go in the order in which the client asks for them', () => {
    const options = new Map([200, 201, 202, 203].map((code) => [code, bytes(16)]));
    assert.deepEqual(layOut(options, Uint8Array.of(203, 9, 201), { ...rooms, file: 0, sname: 0 }).left, [200, 202]);
  });

  test('are packed more densely where the order would leave one out', () => {
    const options = new Map([
      [200, bytes(8)],
      [201, bytes(8)],
      [202, bytes(38)],
      [203, bytes(18)],
      [204, bytes(0)],
    ]);
    const layout = layOut(options, NOTHING, { options: 40, file: 20, sname: 22 });
    assert.deepEqual(layout.left, []);
    assert.deepEqual([codesIn(layout.options), codesIn(layout.file)], [[202], [203]]);
  });

  test('go on from one field in the next only where they have to be split anyhow', () => {
    const room: Rooms = { options: 270, file: 60, sname: 20 };
    const long = layOut(new Map([[121, bytes(300)]]), NOTHING, room);
    assert.deepEqual(
      long.options.map(([, value]) => value.length),
      [255, 11],
    );
    assert.deepEqual(
      long.file.map(([, value]) => value.length),
      [34],
    );
    assert.deepEqual(
      layOut(
        new Map([
          [121, bytes(255)],
          [6, bytes(60)],
        ]),
        NOTHING,
        room,
      ).left,
      [6],
    );
    assert.deepEqual(layOut(new Map([[121, bytes(600)]]), NOTHING, room).left, [121]);
  });
});

test('what is read is what was written, but for what was left out, and no field is written over', () => {
  const option = fc.tuple(
    fc.integer({ min: 1, max: 254 }).filter((code) => code !== 52),
    fc.uint8Array({ maxLength: 400 }),
  );
  fc.assert(
    fc.property(
      fc.array(option, { maxLength: 20 }),
      fc.integer({ min: 548, max: 1472 }),
      fc.boolean(),
      fc.constantFrom('', 'pxelinux.0'),
      fc.uint8Array({ maxLength: 10 }),
      (given, limit, overload, file, asked) => {
        const options = new Map([[53, Uint8Array.of(5)], ...given.map(([code, value]) => [code, value] as const)]);
        const packet: DhcpPacket = { ...requestOf('ack', machine(1)), op: 'reply', sname: '10.0.0.2', file, options };
        const { bytes: written, left } = encodeWithin(packet, { limit, overload, asked });
        const relay = options.get(82);
        const relayBytes = relay && relay.length <= 512 ? sizeOf(relay) : 0;
        assert.ok(written.length - relayBytes <= limit);
        const back = decodePacket(written);
        assert.ok(back.ok);
        const isOverloaded = back.packet.options.has(52);
        assert.ok(overload || !isOverloaded);
        if (!isOverloaded) assert.equal(back.packet.sname, '10.0.0.2');
        assert.equal(back.packet.file, file);
        for (const [code, value] of options) {
          if (code === 82) continue;
          const read = back.packet.options.get(code);
          if (left.includes(code)) assert.equal(read, undefined);
          else assert.deepEqual(Uint8Array.from(read ?? bytes(1, 1)), Uint8Array.from(value));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

describe('who is sent options in the fields for names', () => {
  const much: Said[] = [
    [200, bytes(220)],
    [201, bytes(110)],
  ];
  const pxe = say(OPTION.vendorClass, 'PXEClient:Arch:00000:UNDI:002001');
  const rows: [string, Said[], overloaded: boolean, left: number[]][] = [
    ['a system', [], true, []],
    ['a system that takes more', [say(OPTION.maxMessageSize, 1500)], false, []],
    ['firmware, not', [pxe], false, [201]],
    ['firmware that says how much it takes', [pxe, say(OPTION.maxMessageSize, 576)], true, []],
    ['iPXE, not', [[175, bytes(3)]], false, [201]],
  ];
  for (const [what, said, overloaded, left] of rows) {
    test(what, () => {
      const request = requestOf('discover', machine(1), said);
      const reply = requestOf('offer', machine(1), much);
      const encoded = encodeWithin(reply, boundsFor({ request, client: clientOf(request), relay: undefined }));
      const back = decodePacket(encoded.bytes);
      assert.ok(back.ok);
      assert.deepEqual([back.packet.options.has(52), encoded.left], [overloaded, left]);
    });
  }

  test('a client of BOOTP, not: it knows no such option', () => {
    const request = { ...requestOf('discover', machine(1)), options: new Map() };
    assert.equal(boundsFor({ request, client: clientOf(request), relay: undefined }).overload, false);
  });
});
