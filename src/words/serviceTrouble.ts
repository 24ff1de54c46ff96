import type { NoConnection, Trouble } from '../timeline/serviceTrouble.ts';

/** What a service does or does not, to follow its name (`cannot reach the message queue`), and what the operator may do. */
export type TroubleText = { readonly words: string; readonly hint: string };

/** A trouble of a service in words. */
export function troubleText(trouble: Trouble): TroubleText {
  switch (trouble.what) {
    case 'queue-password':
      return {
        words: 'is refused by the message queue: a wrong user name or password',
        hint: "compare user and password in transport_url with RabbitMQ's; on the controller: rabbitmqctl authenticate_user USER PASSWORD",
      };
    case 'queue-rights':
      return {
        words: `may not use the message queue: ${trouble.logged}`,
        hint: 'see the end of transport_url (the virtual host), and on the controller: rabbitmqctl list_user_permissions USER',
      };
    case 'queue-tls':
      return {
        words: 'cannot set up TLS with the message queue or an API',
        hint: 'see the ssl settings beside transport_url, and the certificate authority in its configuration',
      };
    case 'queue-unreachable': {
      const where = trouble.server === undefined ? '' : ` at ${trouble.server}`;
      return { words: `cannot reach the message queue${where}: ${queueCause(trouble)}`, hint: queueHint(trouble) };
    }
    case 'clock':
      return {
        words: 'finds a certificate or token that is not valid at this time',
        hint: 'compare the clocks of node and controller: `date` on both, and see that both ask a time server',
      };
    case 'conductor':
      return {
        words: 'reaches the message queue, where no service answers',
        hint: 'is nova-conductor (or neutron-server) running on the controller, with the same virtual host in its transport_url?',
      };
    case 'placement-password':
      return {
        words: 'is refused by Keystone (401): a wrong user name or password under [placement]',
        hint: "compare username and password under [placement] in its nova.conf with Keystone's: openstack --os-username placement --os-project-name service token issue",
      };
    case 'keystone-password':
      return {
        words: 'is refused by Keystone (401): a wrong user name or password',
        hint: "compare user and password in its configuration on the node (a section each: [placement], [neutron], ...) with Keystone's: openstack --os-username USER token issue",
      };
    case 'api-unreachable': {
      const whom = trouble.isKeystone ? `Keystone at ${trouble.server}` : trouble.server;
      return {
        words: `cannot reach ${whom}: ${trouble.cause === 'other' ? 'no answer' : CAUSES[trouble.cause]}`,
        hint: 'see auth_url in its configuration and the endpoints (openstack endpoint list), and the way there from the node',
      };
    }
    case 'endpoint-missing': {
      const { service, region } = trouble;
      return {
        words: `finds no endpoint of ${service}${region === undefined ? '' : ` in the region ${region}`}`,
        hint: `see region_name under [${service}] in its nova.conf, and openstack endpoint list --service ${service}`,
      };
    }
    case 'placement':
      return {
        words: `cannot talk to Placement: ${trouble.logged}`,
        hint: 'see [placement] in nova.conf: auth_url and region_name; openstack catalog show placement',
      };
    case 'provider-name': {
      const name = trouble.name === undefined ? '' : ` (${trouble.name})`;
      return {
        words: `cannot make its resource provider: Placement has one of that name${name} with another identity`,
        hint: 'a machine whose compute_id was lost left it behind: openstack resource provider list, and delete it once it has no allocations',
      };
    }
    case 'renamed': {
      const { names } = trouble;
      const how = names ? `was known as ${names.was} and now calls itself ${names.is}` : 'has another name than before';
      return {
        words: `does not start, because it ${how}`,
        hint: 'a node keeps its name, or gets a new compute_id with a new one; see the host name on the node',
      };
    }
    case 'other-name':
      return {
        words: `registers as ${trouble.host}, on a machine that is called ${trouble.machine}`,
        hint: 'see host under [DEFAULT] in its nova.conf, and the host name on the node',
      };
    case 'identity-lost':
      return {
        words: 'is known to Nova, and the node has no /var/lib/nova/compute_id',
        hint: 'the overlay nova-compute hands it out; where Nova has another: openstack hypervisor show -f value -c id NODE, kept in nodes/NODE/files/var/lib/nova/compute_id',
      };
    case 'libvirt':
      return {
        words: `cannot talk to libvirt: ${trouble.logged}`,
        hint: 'name libvirtd before nova-compute under services:, and see `journalctl -u libvirtd` on the node',
      };
    case 'interface-missing':
      return {
        words: `finds no interface ${trouble.device} for the physical network ${trouble.network}`,
        hint: 'see physical_interface_mappings or bridge_mappings, and the names of the cards: reveille node show NODE',
      };
    case 'local-ip':
      return {
        words: 'has a local_ip that no interface of the node has',
        hint: 'see local_ip under [vxlan] or [ovs]',
      };
    case 'openvswitch':
      return {
        words: 'does not reach Open vSwitch',
        hint: 'name openvswitch-switch before the agent under services:, and see `journalctl -u ovsdb-server -u ovs-vswitchd` on the node',
      };
    case 'experimental':
      return {
        words: `does not start: ${trouble.feature} is an experimental feature of this release`,
        hint: `set ${trouble.feature} = true under [experimental] in neutron.conf, on the controller too`,
      };
    case 'release':
      return {
        words: `is too old for this cloud: version ${trouble.has}, and it needs ${trouble.least} at least`,
        hint: "build the image with the controller's release of Nova",
      };
  }
}

const CAUSES = {
  refused: 'nothing listens there',
  'name-unknown': 'its name is not known',
  'no-machine': 'no machine answers at that address',
  'no-route': 'there is no way there',
  timeout: 'no answer',
} as const;

function queueCause(connection: NoConnection): string {
  return connection.cause === 'other' ? connection.logged : CAUSES[connection.cause];
}

const WAY = 'see the address and port in transport_url, and the way there from the node';

function queueHint({ cause }: NoConnection): string {
  switch (cause) {
    case 'refused':
      return 'is RabbitMQ running on the controller, on the address and port of transport_url, beyond 127.0.0.1?';
    case 'name-unknown':
      return "see the host in transport_url, and dns: of the network or the node's hosts";
    case 'no-route':
      return `${WAY}: its gateway, its addresses`;
    case 'timeout':
      return `${WAY}: a firewall drops port 5672?`;
    case 'no-machine':
    case 'other':
      return WAY;
  }
}
