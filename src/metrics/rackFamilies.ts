import { formatIpv4 } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';
import type { Roll } from '../roll/record.ts';
import { NODE_STATES, type Status } from '../timeline/status.ts';
import type { Family } from './text.ts';

/** What the metrics of the rack are made of. */
export type RackFrom = {
  readonly status: Pick<Status, 'nodes' | 'strangers'>;
  readonly networks: ReadonlyMap<string, Pick<Network, 'pools'>>;
  /** The pool, as its range, of each address that is lent now. */
  readonly lentFrom: Iterable<string>;
  readonly images: readonly { readonly name: string; readonly bytes: number }[];
  readonly rolls: readonly Pick<Roll, 'state'>[];
  /** Whether there are metrics with the names of nodes. */
  readonly nodes: boolean;
};

const ROLL_STATES = ['running', 'stopping', 'done', 'stopped', 'aborted'] as const;

/** How nodes, pools, images and rolls stand. Without `nodes` labels are as many as the site has pools and images. */
export function rackFamilies({ status, networks, lentFrom, images, rolls, nodes }: RackFrom): readonly Family[] {
  const gauge = (name: string, help: string, samples: Family['samples']): Family => ({
    name,
    kind: 'gauge',
    help,
    samples,
  });
  const inState = Map.groupBy(status.nodes, ({ state }) => state);
  const lent = Map.groupBy(lentFrom, (pool) => pool);
  const pools = [...networks].flatMap(([network, { pools: all }]) =>
    all.map(({ range }) => {
      const { first, last } = range;
      const pool = first === last ? formatIpv4(first) : `${formatIpv4(first)}-${formatIpv4(last)}`;
      return { labels: { network, pool }, size: last - first + 1, leases: lent.get(pool)?.length ?? 0 };
    }),
  );
  const named = nodes ? status.nodes : [];
  return [
    gauge(
      'reveille_nodes',
      'Nodes of the site, by state.',
      NODE_STATES.map((state) => ({ labels: { state }, value: inState.get(state)?.length ?? 0 })),
    ),
    gauge('reveille_unknown_machines', 'Machines that the site does not list and that tried to boot.', [
      { value: status.strangers.filter(({ triedToBoot }) => triedToBoot).length },
    ]),
    gauge(
      'reveille_pool_addresses',
      'Addresses of a pool.',
      pools.map(({ labels, size }) => ({ labels, value: size })),
    ),
    gauge(
      'reveille_pool_leases',
      'Addresses of a pool that are lent now.',
      pools.map(({ labels, leases }) => ({ labels, value: leases })),
    ),
    gauge('reveille_images', 'Images that are built.', [{ value: images.length }]),
    gauge(
      'reveille_image_size_bytes',
      'What a node fetches of an image.',
      images.map(({ name, bytes }) => ({ labels: { image: name }, value: bytes })),
    ),
    gauge(
      'reveille_rolls',
      'Rolls on record, by state.',
      ROLL_STATES.map((state) => ({
        labels: { state },
        value: rolls.filter((roll) => roll.state === state).length,
      })),
    ),
    gauge(
      'reveille_node_state',
      'The state of a node: 1 for the one that it is in.',
      named.map(({ name, state }) => ({ labels: { node: name, state }, value: 1 })),
    ),
    gauge(
      'reveille_node_boot_seconds',
      'How long the newest boot of a node took, or has taken.',
      named.flatMap(({ name, boot }) =>
        boot ? [{ labels: { node: name }, value: (boot.updatedAt - boot.startedAt) / 1000 }] : [],
      ),
    ),
  ];
}
