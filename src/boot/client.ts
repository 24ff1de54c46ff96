import type { Firmware } from '../model/firmware.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';

/** What is known of a client that asks how to boot. */
export type BootClient = {
  readonly mac: Mac;
  readonly firmware: Firmware;
  /** Present when iPXE is asking; the features that its option 175 names. */
  readonly ipxe?: { readonly http: boolean; readonly menu: boolean; readonly own: boolean };
};

/**
 * What to put into a DHCP answer so that the client boots on. `bootFile` goes into `file` and option 67, `nextServer`
 * into siaddr; `pathPrefix` is option 210, `configFile` option 209.
 */
export type BootAnswer =
  | { readonly kind: 'none'; readonly reason: string; readonly nextServer?: Ipv4 }
  | {
      readonly kind: 'boot';
      readonly bootFile: string;
      /** The server it comes from, where that is not this one. */
      readonly nextServer?: Ipv4;
      readonly pathPrefix?: string;
      readonly configFile?: string;
      /** The operator named the file: nothing is added to make it fit the client. */
      readonly byOperator?: true;
      /** Why this loader, in words, for `explain`. */
      readonly reason: string;
    };
