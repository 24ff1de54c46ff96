import type { BootSite } from '../boot/site.ts';
import type { BootFile } from '../boot/source.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { PackedError } from '../threads/messages.ts';
import type { ListenAt } from './front.ts';
import type { HttpLimits } from './limits.ts';

/** What the thread that serves boot files over HTTP is sent, and sends. */
export type BulkShape = {
  readonly start: {
    readonly stateFolder: string;
    readonly tftp: BootSite['tftp'];
    readonly limits: HttpLimits;
    readonly stallMs: number;
  };
  readonly toThread: /** The operator's files are these from now on. */
    | { readonly kind: 'site'; readonly tftp: BootSite['tftp'] }
    | { readonly kind: 'made'; readonly id: number; readonly made: Made };
  readonly fromThread: /** A connection that is the receiver's from now on, by its descriptor, with what came on it. */
    | { readonly kind: 'connection'; readonly fd: number; readonly bytes: Uint8Array }
    /** A file that is not on disk is asked for: a configuration of a loader. */
    | { readonly kind: 'make'; readonly id: number; readonly name: string; readonly client: Ipv4 };
  readonly asks: { readonly listen: { readonly question: ListenAt; readonly answer: number } };
};

/** A file that was made, or why it could not be. */
export type Made = { readonly file: BootFile | undefined } | { readonly error: PackedError };
