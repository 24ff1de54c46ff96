import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Event } from '../model/event.ts';
import { ip, mac } from '../model/testing/fixture.ts';
import type { NotedTrouble, Trouble } from '../model/trouble.ts';
import { parseEvent } from '../timeline/storedForm.ts';
import { describeEvent, eventJson } from './event.ts';
import { serverTroubleText } from './trouble.ts';

const FILE = '/s/reveille.db';

/** One or several troubles of each code, and their words. */
const WORDS: {
  readonly [Code in NotedTrouble['code']]: readonly (readonly [NotedTrouble & { code: Code }, string])[];
} = {
  EVENTS_DROPPED: [[{ code: 'EVENTS_DROPPED', count: 3 }, '3 events not kept: too many at once']],
  LOG_LOST: [
    [{ code: 'LOG_LOST', count: 1, to: '/dev/log', cause: 'EAGAIN' }, '1 log message lost: /dev/log does not keep up'],
    [{ code: 'LOG_LOST', count: 2, to: '/dev/log', cause: 'EIO' }, '2 log messages lost: /dev/log EIO'],
  ],
  REPLY_UNSENT: [
    [
      { code: 'REPLY_UNSENT', count: 1, to: ip(9), cause: 'EPERM' },
      '1 DHCP reply not sent: 10.0.0.9: a firewall on this machine forbids it',
    ],
  ],
  REQUESTS_DROPPED: [
    [
      { code: 'REQUESTS_DROPPED', count: 7, interface: 'br0' },
      '7 DHCP requests of machines that the site does not list dropped on br0: more come than can be answered',
    ],
  ],
  LEASES_MISPLACED: [
    [
      {
        code: 'LEASES_MISPLACED',
        nowhere: { count: 1, first: { ip: ip(1), mac: mac(1) } },
        unlent: { count: 3, first: { ip: ip(2), mac: mac(2) } },
      },
      `a lease runs for addresses in no network of the site (10.0.0.1 of ${mac(1)}): they are kept, and count again with such a network; ` +
        `3 leases run for addresses that no pool lends any more (10.0.0.2 of ${mac(2)} and 2 more): their machines are refused when they renew`,
    ],
  ],
  TFTP_BUSY: [[{ code: 'TFTP_BUSY', count: 2, from: ip(5) }, '2 TFTP requests had to wait: the last from 10.0.0.5']],
  TFTP_DESCRIPTORS: [
    [
      { code: 'TFTP_DESCRIPTORS', count: 1, from: ip(5) },
      '1 TFTP request had to wait for a file descriptor: the last from 10.0.0.5',
    ],
  ],
  TFTP_UNLISTED: [
    [
      { code: 'TFTP_UNLISTED', count: 2, from: ip(5) },
      '2 TFTP requests that came to nothing not reported one by one: the last from 10.0.0.5',
    ],
  ],
  TFTP_LISTEN: [[{ code: 'TFTP_LISTEN', count: 1, cause: 'EIO' }, '1 error of TFTP sockets: EIO']],
  DISK_FULL: [
    [{ code: 'DISK_FULL' }, 'the disk is full: room that was kept for leases is given up for their records. Make room'],
  ],
  DISK_HAS_ROOM: [[{ code: 'DISK_HAS_ROOM' }, 'the disk has room again: some of it is kept for leases']],
  STATE_GONE: [[{ code: 'STATE_GONE', file: FILE }, `${FILE} was gone: a new one was made`]],
  STATE_AVAILABLE: [[{ code: 'STATE_AVAILABLE', file: FILE }, `${FILE} is written again`]],
  STATE_LOST: [[{ code: 'STATE_LOST', file: FILE }, `what was last written to ${FILE} is lost with ${FILE}-wal`]],
  STATE_CHANGED: [[{ code: 'STATE_CHANGED', file: FILE, how: 'replaced' }, `${FILE} was replaced by another program`]],
  STATE_REBUILT: [
    [
      { code: 'STATE_REBUILT', file: FILE, incomplete: ['leases', 'rolls'], damaged: 'd' },
      `${FILE} was damaged, and was made anew of what it said; not all could be read of: leases, rolls. The damaged one is d`,
    ],
    [
      { code: 'STATE_REBUILT', file: FILE, incomplete: [], damaged: 'd' },
      `${FILE} was damaged, and was made anew of what it said. The damaged one is d`,
    ],
  ],
  STATE_DAMAGED: [
    [
      { code: 'STATE_DAMAGED', table: 'leases', count: 3, rows: ['1', '2'] },
      "the state's table leases has rows that cannot be read: 1, 2, and 1 more",
    ],
  ],
};

describe('trouble of the server', () => {
  for (const [code, rows] of Object.entries(WORDS))
    for (const [trouble, words] of rows)
      it(`${code} is put into words, for programs beside its values`, () => {
        assert.equal(serverTroubleText(trouble), words);
        const event: Event = { at: 1, kind: 'server.trouble', ...trouble };
        assert.equal(describeEvent(event), `trouble: ${words} [${code}]`);
        assert.deepEqual(eventJson(event), { ...event, message: words });
      });

  it('that is an error keeps its own words, and what to do', () => {
    const error: Trouble = { code: 'IMAGE_MISSING', message: 'not built', hint: 'build it' };
    assert.equal(serverTroubleText(error), 'not built: build it');
    const event: Event = { at: 1, kind: 'server.trouble', ...error };
    assert.deepEqual(eventJson(event), event);
  });

  it('that an earlier release stored in words is shown in these', () => {
    const stored = { at: 1, kind: 'server.trouble', code: 'EVENTS_DROPPED', message: '3 events were not kept' };
    const event = parseEvent(stored);
    assert.ok(event);
    assert.equal(describeEvent(event), 'trouble: 3 events were not kept [EVENTS_DROPPED]');
  });
});
