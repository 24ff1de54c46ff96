import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CloudStanding } from '../model/cloudStanding.ts';
import { standingOf } from './inService.ts';
import { type CloudView, readCloudView } from './view.ts';

const BOOTED = Date.parse('2026-01-01T10:00:00Z');
const AFTER = BOOTED + 45_000;
const BEFORE = BOOTED - 30_000;
const EXPECTED = { node: 'node01', ip: '10.0.0.51', bootedAt: BOOTED, networkAgents: ['neutron-linuxbridge-agent'] };

const GOOD: CloudView = {
  services: [{ id: 's1', host: 'node01', up: true, enabled: true, updatedAt: AFTER }],
  hypervisors: [{ id: 'h1', name: 'node01.rack.example.org', host: 'node01', up: true }],
  agents: [{ id: 'a1', host: 'node01', binary: 'neutron-linuxbridge-agent', alive: true, heartbeatAt: AFTER }],
  providers: [{ id: 'h1', name: 'node01.rack.example.org' }],
  clockAheadMs: 0,
};

test('a node whose service, hypervisor, provider and agent all reported since its boot is in service', () => {
  assert.deepEqual(standingOf(GOOD, EXPECTED), { standing: 'in-service', node: 'node01', enabled: true });
});

test('a disabled service is in service, and reported as disabled', () => {
  const [service] = GOOD.services;
  assert.ok(service);
  const view = { ...GOOD, services: [{ ...service, enabled: false }] };
  assert.deepEqual(standingOf(view, EXPECTED), { standing: 'in-service', node: 'node01', enabled: false });
});

test('hosts may be known by their full names', () => {
  const view: CloudView = JSON.parse(JSON.stringify(GOOD).replaceAll('"host":"node01"', '"host":"node01.rack"'));
  assert.equal(standingOf(view, EXPECTED).standing, 'in-service');
});

test('a name that merely begins alike is another node', () => {
  assert.equal(wantedOf(GOOD, { ...EXPECTED, node: 'node0' }), 'compute-service');
});

test('nodes without a network agent of their own do not wait for one', () => {
  assert.equal(standingOf({ ...GOOD, agents: [] }, { ...EXPECTED, networkAgents: [] }).standing, 'in-service');
});

const service = GOOD.services[0] as CloudView['services'][number];
const agent = GOOD.agents[0] as CloudView['agents'][number];
const hypervisor = GOOD.hypervisors[0] as CloudView['hypervisors'][number];

test('of several agents that Neutron ever had on a node, those among its services count', () => {
  const ovs = { ...agent, id: 'a2', binary: 'neutron-openvswitch-agent' };
  const view = { ...GOOD, agents: [{ ...agent, alive: false, heartbeatAt: BEFORE }, ovs] };
  const onOvs = { ...EXPECTED, networkAgents: ['neutron-openvswitch-agent'] };
  assert.equal(standingOf(view, onOvs).standing, 'in-service');
  assert.equal(wantedOf(GOOD, onOvs), 'network-agent');
  assert.equal(wantedOf(view, { ...EXPECTED, networkAgents: [agent.binary, ovs.binary] }), 'network-agent-report');
});

test('of several records that may be the node`s, the one that reported last counts', () => {
  const full = 'node01.rack';
  const services = [
    { ...service, id: 'old', up: false, updatedAt: BEFORE },
    { ...service, host: full },
  ];
  const hypervisors = [
    { ...hypervisor, id: 'h0', up: false },
    { ...hypervisor, host: full },
  ];
  const agents = [
    { ...agent, id: 'a0', alive: false, heartbeatAt: BEFORE },
    { ...agent, host: full },
  ];
  const rows: readonly (readonly [string, Partial<CloudView>])[] = [
    ['the old ones first', { services, hypervisors, agents }],
    [
      'the old ones last',
      { services: services.toReversed(), hypervisors: hypervisors.toReversed(), agents: agents.toReversed() },
    ],
    ['only the agent has two', { agents }],
  ];
  for (const [words, more] of rows)
    assert.equal(standingOf({ ...GOOD, ...more }, EXPECTED).standing, 'in-service', words);
});

for (const [words, view, what] of [
  ['nothing is known of it', { ...GOOD, services: [] }, 'compute-service'],
  [
    'it registered before it had its name',
    { ...GOOD, services: [{ ...service, host: 'localhost', updatedAt: AFTER }] },
    'other-name',
  ],
  [
    'it registered under its address',
    { ...GOOD, services: [{ ...service, host: 'ip-10-0-0-51.rack', updatedAt: AFTER }] },
    'other-name',
  ],
  ['it registered in capitals', { ...GOOD, services: [{ ...service, host: 'NODE01' }] }, 'other-name'],
  [
    'a stray localhost of earlier days is not this boot',
    { ...GOOD, services: [{ ...service, host: 'localhost', updatedAt: BEFORE }] },
    'compute-service',
  ],
  [
    'the record is of an earlier life, and Nova still calls it up',
    { ...GOOD, services: [{ ...service, updatedAt: BEFORE }] },
    'compute-report',
  ],
  ['it reported and is called down', { ...GOOD, services: [{ ...service, up: false }] }, 'compute-down'],
  ['its cell does not know it yet', { ...GOOD, hypervisors: [] }, 'hypervisor'],
  ['its hypervisor is down', { ...GOOD, hypervisors: [{ ...hypervisor, up: false }] }, 'hypervisor-down'],
  ['Placement has no provider', { ...GOOD, providers: [{ id: 'h2', name: 'node02' }] }, 'provider'],
  ['Placement has a provider of another name', { ...GOOD, providers: [{ id: 'h3', name: 'node01' }] }, 'provider'],
  [
    'Placement has a provider of the same name with another id',
    { ...GOOD, providers: [{ id: 'h3', name: 'node01.rack.example.org' }] },
    'provider',
  ],
  [
    'it has the name of another life, at the same address',
    {
      ...GOOD,
      services: [{ ...service, host: 'rack7-old' }],
      hypervisors: [{ ...hypervisor, host: 'rack7-old', ip: '10.0.0.51' }],
    },
    'other-name',
  ],
  [
    'it has its record of earlier days, and another name now',
    {
      ...GOOD,
      services: [
        { ...service, updatedAt: BEFORE },
        { ...service, id: 's2', host: 'localhost', updatedAt: AFTER },
      ],
    },
    'other-name',
  ],
  [
    'it lost libvirt and disabled itself',
    {
      ...GOOD,
      services: [{ ...service, enabled: false, disabledReason: 'AUTO: Connection to libvirt lost: 1' }],
    },
    'compute-disabled-itself',
  ],
  ['Neutron has no agent there', { ...GOOD, agents: [] }, 'network-agent'],
  [
    'the agent is alive by an old heartbeat',
    { ...GOOD, agents: [{ ...agent, heartbeatAt: BEFORE }] },
    'network-agent-report',
  ],
] as const) {
  test(`not in service: ${words}`, () => assert.equal(wantedOf(view, EXPECTED), what));
}

test('another provider is named', () => {
  const other = { id: 'h3', name: 'node01' };
  assert.deepEqual(standingOf({ ...GOOD, providers: [other] }, EXPECTED), {
    standing: 'provider',
    node: 'node01',
    name: 'node01.rack.example.org',
    other,
  });
});

test("times are the cloud's, whose clock may be off, which is reported", () => {
  const behind: CloudView = JSON.parse(
    JSON.stringify({ ...GOOD, clockAheadMs: -180_000 }).replaceAll(String(AFTER), String(AFTER - 180_000)),
  );
  assert.equal(standingOf(behind, EXPECTED).standing, 'in-service');
  const standing = standingOf({ ...GOOD, services: [], clockAheadMs: 180_000 }, EXPECTED);
  assert.deepEqual(standing, { standing: 'compute-service', node: 'node01', cloudAheadMs: 180_000 });
});

function wantedOf(view: CloudView, expected: typeof EXPECTED): string {
  return standingOf(view, expected).standing;
}

/** What Nova, Neutron and Placement of Zed answered on nodes with one mistake each. */
function recorded(name: string): Promise<CloudView> {
  const file = join(import.meta.dirname, 'recorded', `${name}.json`);
  const answers = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const call = async (service: string, path: string) => {
    if (service === 'network') return answers.agents;
    if (service === 'placement') return answers.providers;
    return path.startsWith('/os-services') ? answers.services : answers.hypervisors;
  };
  return readCloudView({ call, clockAheadMs: () => 0 });
}

/** Their boots began when this much was in the records' past. */
const RECORD_BEGAN = Date.parse('2026-01-01T03:05:00Z');

const AGENT = 'neutron-linuxbridge-agent';
for (const [record, ip, standing] of [
  ['unmapped', '10.0.0.60', { standing: 'hypervisor', node: 'right' }],
  ['mistakes', '10.0.0.60', { standing: 'in-service', node: 'right', enabled: true }],
  [
    'mistakes',
    '10.0.0.52',
    { standing: 'in-service', node: 'disabled', enabled: false, disabledReason: 'memory is being replaced' },
  ],
  [
    'mistakes',
    '10.0.0.51',
    { standing: 'compute-disabled-itself', node: 'libvirt-lost', cause: 'Connection to libvirt lost: 1' },
  ],
  ['mistakes', '10.0.0.63', { standing: 'compute-down', node: 'compute-down' }],
  ['mistakes', '10.0.0.59', { standing: 'network-agent-report', node: 'agent-down', agent: AGENT, reported: true }],
  ['mistakes', '10.0.0.66', { standing: 'network-agent', node: 'no-agent', agent: AGENT }],
  [
    'mistakes',
    '10.0.0.71',
    {
      standing: 'provider',
      node: 'other-provider',
      name: 'other-provider',
      other: { id: 'a05944ea-0336-4507-8d96-58a64e168447', name: 'other-provider' },
    },
  ],
  [
    'mistakes',
    '10.0.0.61',
    { standing: 'other-name', node: 'other-name', host: 'localhost', service: '005955c7-2d74-49e8-a9fb-f9f045176886' },
  ],
  [
    'mistakes',
    '10.0.0.62',
    { standing: 'other-name', node: 'renamed', host: 'rack7-old', service: '86b93a8d-14c0-4b27-b278-dfa9f6565644' },
  ],
  ['mistakes', '10.0.0.80', { standing: 'compute-service', node: 'never-seen' }],
] as const satisfies readonly (readonly [string, string, CloudStanding])[]) {
  test(`a real cloud shows (${record}): ${standing.node}`, async () => {
    const expected = { node: standing.node, ip, bootedAt: RECORD_BEGAN, networkAgents: [AGENT] };
    assert.deepEqual(standingOf(await recorded(record), expected), standing);
  });
}
