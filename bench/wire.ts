import { execFileSync } from 'node:child_process';

/** One side of the wires: the server's interface and address here, the clients' interface and addresses in the namespace `load`. */
export type Wire = {
  readonly interface: string;
  readonly server: string;
  readonly clientInterface: string;
  readonly client: string;
  /** The first of `CLIENT_ADDRESSES` more addresses of the clients, one after the other. */
  readonly firstClient: string;
  /** The first two bytes of all of them, as in `10.10`; the subnet is a /16. */
  readonly prefix: string;
};

export type Wires = { readonly ours: Wire; readonly peer: Wire };

/** How many further addresses the clients have on each wire. */
export const CLIENT_ADDRESSES = 20;

/** A command that begins with this runs where the clients are. */
export const AMONG_CLIENTS = ['ip', 'netns', 'exec', 'load'] as const;

/**
 * Lays two veth pairs between this namespace, where the servers run, and the namespace `load`: one for Reveille, one for its peers, so that each has the
 * usual ports for itself. Throws outside of test/isolated, where it would change this machine.
 */
export function layWires(): Wires {
  if (process.env.REVEILLE_ISOLATED === undefined) throw new Error('run it with test/isolated, or by make bench');
  ip('netns', 'add', 'load');
  ip('-n', 'load', 'link', 'set', 'lo', 'up');
  return { ours: layWire('s0', 'c0', '10.10'), peer: layWire('p0', 'c1', '10.20') };
}

function layWire(server: string, client: string, prefix: string): Wire {
  ip('link', 'add', server, 'type', 'veth', 'peer', 'name', client, 'netns', 'load');
  ip('addr', 'add', `${prefix}.0.1/16`, 'dev', server);
  ip('link', 'set', server, 'up');
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
    prefix,
  };
}

const FIRST_CLIENT = 100;

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
