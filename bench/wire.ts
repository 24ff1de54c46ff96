import { execFileSync } from 'node:child_process';

/** One side of the wires: the server's interface and address, the clients' interface and addresses in the namespace `load`. */
export type Wire = {
  readonly interface: string;
  readonly server: string;
  readonly clientInterface: string;
  readonly client: string;
  /** The first of `CLIENT_ADDRESSES` more addresses of the clients, one after the other. */
  readonly firstClient: string;
  /** A command that begins with this runs where the server is. */
  readonly enter: readonly string[];
  /** The first two bytes of all of them, as in `10.10`; the subnet is a /16. */
  readonly prefix: string;
};

export type Wires = { readonly ours: Wire; readonly peer: Wire };

/** How many further addresses the clients have on each wire. */
export const CLIENT_ADDRESSES = 20;

/** A command that begins with this runs where the clients are. */
export const AMONG_CLIENTS = ['ip', 'netns', 'exec', 'load'] as const;

/**
 * Lays two veth pairs to the namespace `load`: one from here, for Reveille, and one from the namespace `peers`, so that each side has the usual ports for itself. Throws
 * outside of test/isolated, where it would change this machine.
 */
export function layWires(): Wires {
  if (process.env.REVEILLE_ISOLATED === undefined) throw new Error('run it with test/isolated, or by make bench');
  for (const namespace of ['load', 'peers']) {
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }
  return { ours: layWire(undefined, 's0', 'c0', '10.10'), peer: layWire('peers', 'p0', 'c1', '10.20') };
}

function layWire(namespace: string | undefined, server: string, client: string, prefix: string): Wire {
  const here = namespace === undefined ? [] : ['-n', namespace];
  ip(...here, 'link', 'add', server, 'type', 'veth', 'peer', 'name', client);
  ip(...here, 'link', 'set', client, 'netns', 'load');
  ip(...here, 'addr', 'add', `${prefix}.0.1/16`, 'dev', server);
  ip(...here, 'link', 'set', server, 'up');
  ip('-n', 'load', 'link', 'set', client, 'up');
  ip('-n', 'load', 'addr', 'add', `${prefix}.0.2/16`, 'dev', client);
  for (let i = 0; i < CLIENT_ADDRESSES; i++)
    ip('-n', 'load', 'addr', 'add', `${prefix}.0.${FIRST_CLIENT + i}/16`, 'dev', client);
  return {
    interface: server,
    server: `${prefix}.0.1`,
    clientInterface: client,
    client: `${prefix}.0.2`,
    firstClient: `${prefix}.0.${FIRST_CLIENT}`,
    enter: namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace],
    prefix,
  };
}

const FIRST_CLIENT = 100;

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
