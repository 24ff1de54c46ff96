import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Trouble } from '../timeline/serviceTrouble.ts';
import { troubleText } from './serviceTrouble.ts';

const QUEUE = 'queue-unreachable';
const ROWS: readonly (readonly [Trouble, words: RegExp, hint: RegExp])[] = [
  [{ what: 'queue-password' }, /refused by the message queue: a wrong user name or password/, /authenticate_user/],
  [
    { what: 'queue-rights', logged: 'vhost nosuch not found' },
    /may not use the message queue: vhost nosuch not found/,
    /list_user_permissions/,
  ],
  [{ what: 'queue-tls' }, /cannot set up TLS/, /ssl settings/],
  [{ what: QUEUE, cause: 'refused' }, /^cannot reach the message queue: nothing listens there/, /is RabbitMQ running/],
  [{ what: QUEUE, cause: 'no-machine' }, /queue: no machine answers at that address/, /from the node$/],
  [{ what: QUEUE, cause: 'name-unknown' }, /queue: its name is not known/, /the host in transport_url/],
  [{ what: QUEUE, cause: 'no-route' }, /no way there/, /its gateway/],
  [{ what: QUEUE, cause: 'timeout', server: '10.0.0.2:5672' }, /at 10\.0\.0\.2:5672: no answer/, /firewall/],
  [{ what: QUEUE, cause: 'other', logged: '<RecoverableError>' }, /<RecoverableError/, /from the node$/],
  [{ what: 'placement-password' }, /refused by Keystone \(401\): .* under \[placement\]/, /--os-username placement/],
  [{ what: 'keystone-password' }, /refused by Keystone \(401\): a wrong user name or password$/, /--os-username USER/],
  [
    { what: 'endpoint-missing', service: 'placement', region: 'Elsewhere' },
    /no endpoint of placement in the region Elsewhere/,
    /endpoint list --service placement/,
  ],
  [
    { what: 'api-unreachable', server: 'http://10.0.0.99:5000', isKeystone: true, cause: 'no-machine' },
    /cannot reach Keystone at http:\/\/10\.0\.0\.99:5000: no machine answers/,
    /auth_url/,
  ],
  [
    { what: 'api-unreachable', server: 'http://10.0.0.99:8778', isKeystone: false, cause: 'other', logged: 'x' },
    /cannot reach http:\/\/10\.0\.0\.99:8778: no answer$/,
    /auth_url/,
  ],
  [{ what: 'placement', logged: 'Placement API service is not responding' }, /not responding/, /\[placement\]/],
  [{ what: 'provider-name' }, /cannot make its resource provider/, /resource provider list/],
  [{ what: 'provider-name', name: 'node01' }, /\(node01\)/, /resource provider list/],
  [
    { what: 'renamed', names: { was: 'node01.rack', is: 'localhost.localdomain' } },
    /known as node01\.rack and now calls itself localhost\.localdomain$/,
    /compute_id/,
  ],
  [{ what: 'renamed' }, /has another name than before$/, /compute_id/],
  [
    { what: 'other-name', host: 'rack7-old', machine: 'node01' },
    /registers as rack7-old, on a machine that is called node01/,
    /host under \[DEFAULT\]/,
  ],
  [{ what: 'identity-lost' }, /compute_id/, /overlay nova-compute/],
  [
    { what: 'libvirt', logged: 'Failed to connect' },
    /cannot talk to libvirt: Failed to connect/,
    /journalctl -u libvirtd/,
  ],
  [
    { what: 'interface-missing', device: 'nosuch0', network: 'physnet1' },
    /no interface nosuch0 for the physical network physnet1/,
    /bridge_mappings/,
  ],
  [{ what: 'local-ip' }, /a local_ip that no interface of the node has/, /\[vxlan\]/],
  [{ what: 'openvswitch' }, /does not reach Open vSwitch/, /openvswitch-switch/],
  [{ what: 'experimental', feature: 'linuxbridge' }, /linuxbridge is an experimental feature/, /linuxbridge = true/],
  [{ what: 'clock' }, /not valid at this time/, /time server/],
  [{ what: 'conductor' }, /no service answers/, /nova-conductor/],
  [{ what: 'release', has: '61', least: '64' }, /version 61, and it needs 64/, /release of Nova/],
];

describe('the trouble of a service in words', () => {
  for (const [trouble, words, hint] of ROWS) {
    it(JSON.stringify(trouble), () => {
      const text = troubleText(trouble);
      assert.match(text.words, words);
      assert.match(text.hint, hint);
    });
  }
});
