import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { serviceTrouble, type Trouble } from './serviceTrouble.ts';

const RABBIT = '2026-01-01 10:00:55.000 30 ERROR oslo.messaging._drivers.impl_rabbit [None req-21e6ad63 - - - - - -]';
const RECONNECTED =
  '2026-01-01 10:01:55.000 30 INFO oslo.messaging._drivers.impl_rabbit [-] [a1b2c3d4] Reconnected to AMQP server on 10.0.0.2:5672 via [amqp] client with port 54122.';
const REFUSED = `${RABBIT} Connection failed: [Errno 111] ECONNREFUSED (retrying in 9.0 seconds): ConnectionRefusedError: [Errno 111] ECONNREFUSED`;

/** Ends of logs as the agent sends them, recorded on nodes with one mistake each (Nova 26.2, Neutron 21), and the troubles that they show. */
const RECORDED: readonly (readonly [string, Trouble | undefined])[] = [
  ['queue-password', { what: 'queue-password' }],
  ['queue-password-agent', { what: 'queue-password' }],
  ['queue-vhost', { what: 'queue-rights', logged: 'vhost nosuch not found' }],
  ['queue-refused', { what: 'queue-unreachable', cause: 'refused' }],
  ['queue-no-machine', { what: 'queue-unreachable', cause: 'no-machine' }],
  ['queue-no-name', { what: 'queue-unreachable', cause: 'name-unknown' }],
  ['placement-password', { what: 'placement-password' }],
  ['placement-region', { what: 'endpoint-missing', service: 'placement', region: 'Elsewhere' }],
  [
    'keystone-unreachable',
    { what: 'api-unreachable', server: 'http://10.0.0.99:5000', isKeystone: true, cause: 'no-machine' },
  ],
  ['provider-name', { what: 'provider-name', name: 'node01' }],
  ['other-name', { what: 'other-name', host: 'rack7-old', machine: 'node01' }],
  [
    'libvirt-absent',
    {
      what: 'libvirt',
      logged: "Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory",
    },
  ],
  [
    'libvirt-lost',
    { what: 'libvirt', logged: "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused" },
  ],
  ['works', undefined],
  ['works-agent', undefined],
];

for (const [name, expected] of RECORDED) {
  test(`a recorded log shows its trouble: ${name}`, () => {
    const log = readFileSync(join(import.meta.dirname, 'serviceLogs', `${name}.log`), 'utf8');
    const { line, ...trouble } = serviceTrouble(log) ?? {};
    assert.deepEqual(trouble, expected ?? {});
    assert.ok(line === undefined || log.includes(line));
  });
}

/** Lines of faults that were not produced for the records, as oslo.messaging, Nova and Neutron of Zed and later write them. */
const LINES: readonly (readonly [string, Trouble])[] = [
  [
    `${RABBIT} Connection failed: [Errno 101] ENETUNREACH (retrying in 5.0 seconds): OSError: [Errno 101] ENETUNREACH`,
    { what: 'queue-unreachable', cause: 'no-route' },
  ],
  [
    `${RABBIT} [a01b43c5-231a] AMQP server on 10.0.0.2:5672 is unreachable: [Errno 110] ETIMEDOUT. Trying again in 6 seconds.: TimeoutError`,
    { what: 'queue-unreachable', server: '10.0.0.2:5672', cause: 'timeout' },
  ],
  [
    `${RABBIT} [a1b2c3d4] AMQP server on 10.0.0.2:5672 is unreachable: <RecoverableConnectionError: unknown error>. Trying again in 1 seconds.`,
    {
      what: 'queue-unreachable',
      server: '10.0.0.2:5672',
      cause: 'other',
      logged: '<RecoverableConnectionError: unknown error>',
    },
  ],
  [
    "2026-01-01 10:02:05.753 325 ERROR nova amqp.exceptions.AccessRefused: Exchange.declare: (403) ACCESS_REFUSED - access to exchange 'nova' in vhost '/' refused for user 'openstack'",
    { what: 'queue-rights', logged: "access to exchange 'nova' in vhost '/' refused for user 'openstack'" },
  ],
  [
    '2026-01-01 10:02:39.939 335 WARNING nova.conductor.api [None req-b512df0a - - - - - -] Timed out waiting for nova-conductor.  Is it running? Or did this service start before nova-conductor?  Reattempting establishment of nova-conductor connection...: oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to message ID 392e41b8',
    { what: 'conductor' },
  ],
  [
    '2026-01-01 10:02:39.939 335 WARNING nova.scheduler.client.report [None req-b512df0a] Placement API service is not responding.',
    { what: 'placement', logged: 'Placement API service is not responding' },
  ],
  [
    '2026-01-01 10:02:39.939 335 ERROR nova.scheduler.client.report [None req-b512df0a] [req-1] Failed to create resource provider record in placement API for UUID 5f3e. Got 409: {"errors": [{"status": 409, "title": "Conflict", "detail": "There was a conflict when trying to complete your request.\\n\\n Conflicting resource provider name: node01 already exists.", "request_id": "req-1"}]}.',
    { what: 'provider-name', name: 'node01' },
  ],
  [
    '2026-01-01 10:02:39.939 335 ERROR oslo_service.service nova.exception.InvalidConfiguration: My compute node 6c53c76c-39d1-45dc-a5f5-293e91abd3e4 has hypervisor_hostname node01.rack but virt driver reports it should be localhost.localdomain. Possible rename detected, refusing to start!',
    { what: 'renamed', names: { was: 'node01.rack', is: 'localhost.localdomain' } },
  ],
  [
    '2026-01-01 10:02:39.939 335 ERROR oslo_service.service nova.exception.InvalidConfiguration: No local node identity found, but this is not our first startup on this host. Refusing to start after potentially having lost that state!',
    { what: 'identity-lost' },
  ],
  [
    '2026-01-01 10:02:39.939 37 ERROR neutron.plugins.ml2.drivers.linuxbridge.agent.linuxbridge_neutron_agent [-] Interface nosuch0 for physical network physnet1 does not exist. Agent terminated!',
    { what: 'interface-missing', device: 'nosuch0', network: 'physnet1' },
  ],
  [
    "2026-01-01 10:02:39.939 37 ERROR neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent [-] Tunneling can't be enabled with invalid local_ip '10.0.0.51'. IP couldn't be found on this host's interfaces.",
    { what: 'local-ip' },
  ],
  [
    'ovs-vsctl: unix:/var/run/openvswitch/db.sock: database connection failed (No such file or directory)',
    { what: 'openvswitch' },
  ],
  [
    "2026-01-01 10:02:39.939 37 ERROR neutron.common.experimental [-] Feature 'linuxbridge' is experimental and has to be explicitly enabled in 'cfg.CONF.experimental'",
    { what: 'experimental', feature: 'linuxbridge' },
  ],
  [
    '2026-01-01 10:02:39.939 335 ERROR nova ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid (_ssl.c:992)',
    { what: 'clock' },
  ],
  [
    '2026-01-01 10:02:39.939 335 ERROR nova nova.exception.ServiceTooOld: This service is older (v61) than the minimum (v64) version of the rest of the deployment. Unable to continue.',
    { what: 'release', has: '61', least: '64' },
  ],
];

for (const [line, expected] of LINES) {
  test(`a log shows its trouble: ${line.slice(24, 110)}`, () => {
    const { line: shown, ...trouble } =
      serviceTrouble(`before\n${line}\n2026-01-01 10:03:00.000 30 WARNING os_vif [-] nothing to do with it\n`) ?? {};
    assert.deepEqual(trouble, expected);
    assert.equal(shown, line);
  });
}

test('the newest line counts; a queue that answers again is no trouble any more', () => {
  const conductor = LINES.find(([, { what }]) => what === 'conductor')?.[0] ?? '';
  assert.equal(serviceTrouble(`${REFUSED}\n${conductor}`)?.what, 'conductor');
  assert.equal(serviceTrouble(`${conductor}\n${REFUSED}`)?.what, 'queue-unreachable');
  assert.equal(serviceTrouble(`${REFUSED}\n${RECONNECTED}`), undefined);
  assert.equal(serviceTrouble(`${conductor}\n${REFUSED}\n${RECONNECTED}`)?.what, 'conductor');
  assert.equal(serviceTrouble(`${RECONNECTED}\n${REFUSED}`)?.what, 'queue-unreachable');
  const working = '2026-01-01 10:03:00.000 30 INFO nova.service [-] Starting compute node (version 26.2.2)';
  assert.equal(serviceTrouble(`${REFUSED}\n${conductor}\n${working}`), undefined);
  assert.equal(serviceTrouble(`${working}\n${REFUSED}`)?.what, 'queue-unreachable');
});

test('any text is read without an exception', () => {
  fc.assert(fc.property(fc.string(), (text) => serviceTrouble(text) === undefined || text.length > 10));
});
