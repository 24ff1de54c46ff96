import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../model/event.ts';
import { type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import { encodeFields, journalEntry } from './journal.ts';
import { jsonLine, logLine, severityOf } from './line.ts';
import { openOutlet } from './outlet.ts';
import { localSyslog, remoteSyslog } from './syslog.ts';

const mac = '52:54:00:00:00:51' as Mac;
const address = (text: string): Ipv4 => parseIpv4(text) ?? assert.fail(text);
const ip = address('10.0.0.51');
const dhcp = { at: 0, mac, stage: 'os', via: 'br0', hostname: 'node01' } as const;

describe('a line of the log', () => {
  const table: readonly [Event, string][] = [
    [{ ...dhcp, kind: 'dhcp.discover' }, 'DHCPDISCOVER from 52:54:00:00:00:51 (node01) via br0'],
    [
      { at: 0, mac, stage: 'os', kind: 'dhcp.discover', via: '10.9.0.1' },
      'DHCPDISCOVER from 52:54:00:00:00:51 via 10.9.0.1',
    ],
    [{ ...dhcp, kind: 'dhcp.offer', ip }, 'DHCPOFFER on 10.0.0.51 to 52:54:00:00:00:51 (node01) via br0'],
    [
      { ...dhcp, kind: 'dhcp.request', requested: ip, chosen: address('10.0.0.2') },
      'DHCPREQUEST for 10.0.0.51 (10.0.0.2) from 52:54:00:00:00:51 (node01) via br0',
    ],
    [
      { ...dhcp, kind: 'dhcp.request', requested: ip },
      'DHCPREQUEST for 10.0.0.51 from 52:54:00:00:00:51 (node01) via br0',
    ],
    [{ ...dhcp, kind: 'dhcp.ack', ip }, 'DHCPACK on 10.0.0.51 to 52:54:00:00:00:51 (node01) via br0'],
    [{ at: 0, mac, node: 'n1', stage: 'os', kind: 'dhcp.ack', ip }, 'DHCPACK on 10.0.0.51 to 52:54:00:00:00:51 (n1)'],
    [{ ...dhcp, kind: 'dhcp.ack', ip, informs: true }, 'DHCPACK to 10.0.0.51 (52:54:00:00:00:51) via br0'],
    [
      { ...dhcp, kind: 'dhcp.ack', ip, bootp: true, node: 'node01' },
      'BOOTREPLY for 10.0.0.51 to node01 (52:54:00:00:00:51) via br0',
    ],
    [{ ...dhcp, kind: 'dhcp.inform', requested: ip }, 'DHCPINFORM from 10.0.0.51 via br0'],
    [
      { ...dhcp, kind: 'dhcp.nak', requested: ip, reason: 'wrong network' },
      'DHCPNAK on 10.0.0.51 to 52:54:00:00:00:51 (node01) via br0: wrong network',
    ],
    [
      { ...dhcp, kind: 'dhcp.decline', reason: 'x', ip },
      'DHCPDECLINE of 10.0.0.51 from 52:54:00:00:00:51 (node01) via br0: abandoned',
    ],
    [
      { ...dhcp, kind: 'dhcp.release', reason: 'x', ip },
      'DHCPRELEASE of 10.0.0.51 from 52:54:00:00:00:51 (node01) via br0 (found)',
    ],
    [
      { at: 0, kind: 'dhcp.refused', mac, via: 'br0', reason: 'no pool' },
      'no answer to 52:54:00:00:00:51 via br0: no pool',
    ],
    [
      { at: 0, kind: 'dhcp.other-server', mac, server: address('10.0.0.3') },
      'DHCPREQUEST from 52:54:00:00:00:51: it chose another server, 10.0.0.3',
    ],
    [
      { at: 0, kind: 'tftp.sent', ip, file: 'pxelinux.0', role: 'loader', bytes: 42_000, ms: 12 },
      'RRQ from 10.0.0.51 filename pxelinux.0 (42 kB in 12 ms)',
    ],
    [
      { at: 0, kind: 'tftp.missing', ip, file: 'a\nb' },
      'RRQ from 10.0.0.51 filename a b: sending NAK (1, File not found) to 10.0.0.51',
    ],
    [
      { at: 0, kind: 'tftp.failed', ip, file: 'x', bytes: 512, reason: 'timeout' },
      'RRQ from 10.0.0.51 filename x: failed after 512 B: timeout',
    ],
    [
      { at: 0, kind: 'http.sent', ip, file: 'boot/x', role: 'file', bytes: 1, ms: 2 },
      'GET from 10.0.0.51 filename boot/x (1 B in 2 ms)',
    ],
    [{ at: 0, kind: 'http.missing', ip, file: 'x' }, 'GET from 10.0.0.51 filename x: not found'],
    [{ at: 0, kind: 'node.step', node: 'node01', code: 'ready', status: 'done' }, 'node01: node ready done'],
    [{ at: 0, kind: 'server.started' }, 'server started'],
    [
      {
        at: 0,
        kind: 'server.started',
        httpPort: 8080,
        serves: [{ network: 'rack', interface: 'br0', server: 0x0a000002 as Ipv4 }, { network: 'far' }],
      },
      'server started: rack on br0 as 10.0.0.2, far by relays, which has no address there yet; HTTP on port 8080',
    ],
  ];
  for (const [event, line] of table) it(line, () => assert.equal(logLine(event), line));

  it('says how grave it is', () => {
    assert.equal(severityOf({ at: 0, kind: 'server.trouble', code: 'SERVER_FAILED', message: '' }), 3);
    assert.equal(severityOf({ ...dhcp, kind: 'dhcp.nak', reason: 'x' }), 4);
    assert.equal(severityOf({ at: 0, kind: 'server.started' }), 5);
    assert.equal(severityOf({ ...dhcp, kind: 'dhcp.ack', ip }), 6);
    assert.equal(severityOf({ at: 0, kind: 'node.step', code: 'files', status: 'failed' }), 3);
  });

  it('is one object in JSON, with addresses and times as people write them', () => {
    const event: Event = { ...dhcp, kind: 'dhcp.request', requested: ip, chosen: address('10.0.0.2') };
    assert.deepEqual(JSON.parse(jsonLine(event)), {
      time: '1970-01-01T00:00:00.000Z',
      kind: 'dhcp.request',
      mac,
      stage: 'os',
      via: 'br0',
      hostname: 'node01',
      requested: '10.0.0.51',
      chosen: '10.0.0.2',
    });
  });
});

describe('a message of syslog', () => {
  const message = {
    at: Date.UTC(2026, 10, 3, 4, 5, 6, 7),
    facility: 'local7',
    severity: 6,
    pid: 42,
    kind: 'dhcp.ack',
  } as const;
  it('has the form that /dev/log expects', () => {
    const text = Buffer.from(localSyslog({ ...message, text: 'DHCPACK' })).toString();
    assert.match(text, /^<190>(Nov {2}3|Nov {2}2|Nov {2}4) \d\d:05:06 reveille\[42\]: DHCPACK$/);
  });
  it('has the form of RFC 5424 for another machine', () => {
    const text = Buffer.from(remoteSyslog({ ...message, facility: 'daemon', text: 'a b' }, 'head')).toString();
    assert.equal(text, '<30>1 2026-11-03T04:05:06.007Z head reveille 42 dhcp.ack - a b');
  });
  it('is cut between characters', () => {
    for (let more = 0; more < 4; more++) {
      const bytes = localSyslog({ ...message, text: 'x'.repeat(more) + 'ä€'.repeat(2000) });
      assert.ok(bytes.length <= 2048 && bytes.length > 2040);
      assert.doesNotMatch(Buffer.from(bytes).toString(), /\ufffd/);
    }
  });
});

/** The other side of journald's native protocol, from its documentation. */
function decodeFields(bytes: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\n', at);
    const line = bytes.subarray(at, end).toString();
    const equals = line.indexOf('=');
    if (equals >= 0) {
      fields[line.slice(0, equals)] = line.slice(equals + 1);
      at = end + 1;
    } else {
      const length = Number(bytes.readBigUInt64LE(end + 1));
      fields[line] = bytes.subarray(end + 9, end + 9 + length).toString();
      at = end + 9 + length + 1;
    }
  }
  return fields;
}

describe('an entry of the journal', () => {
  it('has the event’s fields', () => {
    const event: Event = {
      at: 0,
      node: 'node01',
      kind: 'node.step',
      code: 'settings',
      status: 'failed',
      output: 'a\nb',
    };
    assert.deepEqual(decodeFields(Buffer.from(journalEntry(event))), {
      MESSAGE: 'node01: node settings failed',
      PRIORITY: '3',
      SYSLOG_IDENTIFIER: 'reveille',
      REVEILLE_EVENT: 'node.step',
      REVEILLE_NODE: 'node01',
      REVEILLE_STEP: 'settings',
      REVEILLE_STATUS: 'failed',
      REVEILLE_OUTPUT: 'a\nb',
    });
  });
  it('reads back whatever its fields hold', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[A-Z]{1,8}$/), fc.string({ maxLength: 300 })), (fields) => {
        const whole = Object.fromEntries(
          Object.entries(fields).map(([key, text]) => [key, Buffer.from(text).toString()]),
        );
        assert.deepEqual(decodeFields(Buffer.from(encodeFields(Object.entries(fields)))), whole);
      }),
    );
  });
});

describe('an outlet', () => {
  /** A receiver that says `failure` until it is cleared. */
  function receiver(failure: string | undefined) {
    const state = { failure, got: [] as string[], closed: false };
    const sender = {
      send: (bytes: Uint8Array) => {
        if (state.failure !== undefined) return state.failure;
        state.got.push(Buffer.from(bytes).toString());
        return undefined;
      },
      close: () => {
        state.closed = true;
      },
    };
    return { state, sender };
  }

  it('sends what it kept in order once the receiver is back', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { state, sender } = receiver('ECONNREFUSED');
    const lost: string[] = [];
    const outlet = openOutlet(sender, (reason) => lost.push(reason));
    outlet.send(Buffer.from('1'));
    outlet.send(Buffer.from('2'));
    t.mock.timers.tick(2000);
    assert.deepEqual(state.got, []);
    state.failure = undefined;
    t.mock.timers.tick(500);
    outlet.send(Buffer.from('3'));
    assert.deepEqual([state.got, lost], [['1', '2', '3'], []]);
  });

  it('keeps no more than its bound, and counts the rest', () => {
    const { state, sender } = receiver('EAGAIN');
    let lost = 0;
    const outlet = openOutlet(sender, () => lost++);
    for (let i = 0; i < 5000; i++) outlet.send(Buffer.from(String(i)));
    assert.equal(lost, 3000);
    state.failure = undefined;
    outlet.close();
    assert.deepEqual([state.got.length, state.got[0], state.closed], [2000, '0', true]);
  });

  it('drops a message that cannot be sent at all, and goes on', () => {
    const { state, sender } = receiver('EMSGSIZE');
    const lost: string[] = [];
    const outlet = openOutlet(sender, (reason) => lost.push(reason));
    outlet.send(Buffer.from('long'));
    state.failure = undefined;
    outlet.send(Buffer.from('short'));
    outlet.close();
    assert.deepEqual([state.got, lost], [['short'], ['EMSGSIZE']]);
  });
});
