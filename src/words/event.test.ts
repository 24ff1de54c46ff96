import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Event } from '../model/event.ts';
import { parseIpv4 } from '../model/ipv4.ts';
import { describeEvent, eventJson } from './event.ts';
import { formatBytes, formatMs } from './units.ts';

describe('events in words', () => {
  const rows: [Event, string][] = [
    [
      { at: 0, kind: 'dhcp.ack', stage: 'ipxe', ip: parseIpv4('10.0.0.51'), bootFile: 'pxelinux.0' } as Event,
      'DHCP ACK 10.0.0.51 (ipxe) boots pxelinux.0',
    ],
    [
      { at: 0, kind: 'dhcp.ack', stage: 'os', ip: parseIpv4('10.0.0.51'), bootp: true } as Event,
      'BOOTP REPLY 10.0.0.51 (os)',
    ],
    [{ at: 0, kind: 'tftp.sent', file: 'a', role: 'file', bytes: 1500, ms: 12 }, 'TFTP sent a, 1.5 kB in 12 ms'],
    [
      { at: 0, kind: 'node.step', code: 'settings', status: 'failed', detail: 'exit code 3' },
      'node settings failed: exit code 3',
    ],
    [{ at: 0, kind: 'site.loaded', networks: 1, nodes: 2 }, 'site loaded: 1 network, 2 nodes'],
  ];
  for (const [event, words] of rows) it(words, () => assert.equal(describeEvent(event), words));

  it('sizes and times', () => {
    assert.deepEqual([999, 1000, 12_345_678].map(formatBytes), ['999 B', '1.0 kB', '12 MB']);
    assert.deepEqual([12, 3400, 125_000].map(formatMs), ['12 ms', '3.4 s', '2 min 5 s']);
  });

  it('stand in JSON beside the codes and values', () => {
    const step: Event = { at: 0, kind: 'node.step', code: 'service', subject: 'nova-compute', status: 'done' };
    assert.deepEqual(eventJson(step), { ...step, step: 'service nova-compute' });
    const standing: Event = { at: 0, kind: 'cloud.standing', node: 'n', standing: 'hypervisor-down' };
    assert.deepEqual(eventJson(standing), {
      ...standing,
      words: 'the hypervisor of n is down',
      hint: 'see libvirtd on the node',
    });
    const started: Event = { at: 0, kind: 'server.started' };
    assert.deepEqual(eventJson(started), started);
  });
});
