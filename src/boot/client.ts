import type { BootsBecause, BootsByOperator, BootsNothing } from '../model/bootReason.ts';
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

/** What a DHCP reply says so that the client boots on. `bootFile` goes into `file` and option 67. */
export type BootAnswer =
  | {
      readonly kind: 'none';
      readonly reason: BootsNothing;
      /** What siaddr says all the same. */
      readonly nextServer?: Ipv4;
    }
  | {
      readonly kind: 'boot';
      readonly bootFile: string;
      readonly reason: BootsBecause;
      /** The name of the boot method. */
      readonly method: string;
      /** Option 210. */
      readonly pathPrefix?: string;
    }
  /** The operator names the file, and perhaps another server than this one: nothing is added to make it fit the client. */
  | {
      readonly kind: 'boot';
      readonly bootFile: string;
      readonly reason: BootsByOperator;
      readonly nextServer?: Ipv4;
    };
