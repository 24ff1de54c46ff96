import assert from 'node:assert/strict';
import type { Event } from '../../model/event.ts';
import type { Lease } from '../../model/lease.ts';
import type { NodeDiff } from '../../node/diff.ts';
import type { SyncResult } from '../../node/sync.ts';
import { type Roll, USUAL_LIMITS, waitingNode } from '../../roll/record.ts';
import { ip, mac } from '../../site/testing/fixture.ts';
import type { Status } from '../../timeline/status.ts';
import type { OperatorsFrom } from '../operators.ts';

const notAsked = (): never => assert.fail('not asked');

/** What the operators' API is made from; what a test leaves out must not be asked. */
export function operatorsFixture(changes: Partial<OperatorsFrom> = {}): OperatorsFrom {
  return {
    status: notAsked,
    subscribe: notAsked,
    nodesNamed: notAsked,
    sync: notAsked,
    diff: notAsked,
    keptEvents: notAsked,
    leases: { list: notAsked, release: notAsked, nodeOf: () => undefined, poolOf: () => undefined },
    rolls: {
      list: notAsked,
      show: notAsked,
      begin: notAsked,
      abort: notAsked,
      resume: notAsked,
      rollback: notAsked,
    },
    tokens: { list: notAsked, create: notAsked, revoke: notAsked },
    isWell: notAsked,
    power: notAsked,
    adopt: notAsked,
    addNode: notAsked,
    removeNode: notAsked,
    images: notAsked,
    metrics: notAsked,
    metricsAreOpen: () => false,
    emit: () => {},
    faulted: (error) => assert.fail(String(error)),
    ...changes,
  };
}

const CARD = mac('52:54:00:00:00:51');
const place = { file: 'site.yaml', line: 3, col: 5 };
const boot = {
  startedAt: 1,
  updatedAt: 9,
  state: 'failed',
  clockAheadMs: -7000,
  steps: [
    { at: 1, code: 'address', status: 'done', bootFile: 'own.efi' },
    { at: 2, code: 'kernel', status: 'failed', file: 'f', image: 'aa', bytes: 1, cause: 'c' },
    { at: 3, code: 'service', subject: 'nova-compute', status: 'failed', ms: 3, detail: 'd', output: 'o' },
    { at: 9, code: 'in-service', status: 'running', standing: { standing: 'hypervisor-down', node: 'node01' } },
  ],
} as const;

/** A status in which every field has a value. */
export const STATUS_VALUE: Status = {
  site: 'lab',
  bootUrl: 'http://10.0.0.2:8080/boot',
  nodes: [
    {
      name: 'node01',
      mac: CARD,
      macs: [CARD],
      ip: '10.0.0.51',
      lease: { ip: '10.0.0.51', network: 'rack', pool: null, expires: 99 },
      state: 'failed',
      image: 'compute',
      profiles: ['compute'],
      entry: null,
      bootFile: 'own.efi',
      boot,
      files: {
        state: 'drift',
        at: 5,
        applied: 'aa',
        current: null,
        drifted: 1,
        drift: [{ path: '/etc/motd', what: 'access', access: { mode: '0644', owner: 0, group: 0 } }],
        failed: null,
      },
    },
  ],
  strangers: [
    {
      mac: mac('52:54:00:00:00:99'),
      firstSeen: 1,
      lastSeen: 2,
      count: 3,
      messages: { discover: 3 },
      stage: 'firmware',
      triedToBoot: true,
      machine: {
        hostname: 'x',
        vendorClass: 'PXEClient',
        architectures: [7],
        firmware: 'x64-uefi',
        uuid: '00',
        circuitId: 'port 1',
        remoteId: 'switch',
      },
      classes: ['pxe'],
      boot,
      network: 'rack',
      via: 'br0',
      ip: ip('10.0.0.200'),
      refusal: 'no pool',
    },
  ],
  refused: { at: 4, findings: [{ place, message: 'no', hint: 'yes' }], servingSince: 1 },
};

/** A roll with a node on its way. */
export const ROLL_VALUE: Roll = {
  ...USUAL_LIMITS,
  id: 'r1',
  begunAt: 1,
  endedAt: null,
  state: 'running',
  endsAs: 'stopped',
  note: { code: 'aborted' },
  keepPins: false,
  takesBack: null,
  nodes: [
    {
      ...waitingNode('node01', 'aa', 1),
      cycle: { askedAt: 5, refused: 'no' },
      moves: { i1: { kind: 'live', tries: 1, askedAt: 2, refused: 'no', confirmedAt: 3 } },
    },
  ],
};

export const LEASE_VALUE: Lease = {
  ip: ip('10.0.0.200'),
  mac: CARD,
  network: 'rack',
  state: 'bound',
  start: 1000,
  expires: 9000,
  clientId: new Uint8Array([1, 2]),
  hostname: 'h',
  reserved: false,
};

const form = { kind: 'file', mode: '0644', owner: 'root', group: 'root', text: 'a\n' } as const;

export const DIFF_VALUE: NodeDiff = {
  changes: [
    {
      path: '/etc/motd',
      change: 'changed',
      before: form,
      after: { ...form, text: null },
      drift: { path: '/etc/motd', what: 'content' },
      contentDiffers: true,
    },
  ],
  hooks: ['systemctl restart x'],
};

export const SYNC_VALUE: SyncResult = { node: 'node01', result: 'done', changed: 1, removed: 0, ms: 12, detail: null };

export const EVENT_VALUE: Event = { at: 5, kind: 'server.started', node: 'node01', ip: ip('10.0.0.51'), mac: CARD };
