import type { Firmware } from './firmware.ts';
import type { Ipv4 } from './ipv4.ts';
import type { LoaderChoice } from './node.ts';

/** The part of the site that gives a client something. A pool is named by its first address. */
export type Layer =
  | { readonly of: 'node' | 'class' | 'network'; readonly name: string }
  | { readonly of: 'pool'; readonly first: Ipv4 };

/** Why a client is given something to boot. */
export type BootsBecause =
  /** iPXE with HTTP asks: it runs the script of its node. */
  | { readonly code: 'ipxe-script' }
  /** Firmware asks: it is given the loader for its kind and the node's `loader:`. */
  | { readonly code: 'loader'; readonly firmware: Firmware; readonly choice: LoaderChoice };

/** The operator names the file, and perhaps the server. */
export type BootsByOperator = {
  readonly code: 'operator';
  readonly bootFile: Layer;
  readonly nextServer?: Layer;
};

/** Why a client is given nothing to boot. */
export type BootsNothing =
  /** It does not ask to boot. */
  | { readonly code: 'not-asked' }
  /** The site does not list the machine. */
  | { readonly code: 'not-listed' }
  /** The node has neither image nor menu entry: it gets an address only. */
  | { readonly code: 'no-image'; readonly node: string }
  /** No boot method serves this firmware with this `loader:`. */
  | { readonly code: 'no-method'; readonly firmware: Firmware; readonly choice: LoaderChoice }
  /** The client is iPXE without HTTP that came from here: it would be given itself for ever. */
  | { readonly code: 'would-loop'; readonly file: string };

/** Why a client is given what it is given. */
export type BootReason = BootsBecause | BootsByOperator | BootsNothing;
