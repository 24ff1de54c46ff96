import type { ErrorCode } from '../errors.ts';
import type { Ipv4 } from './ipv4.ts';
import type { Mac } from './mac.ts';

/**
 * What a service notes about itself and is no error that was raised: a stable code, and the values that belong to it.
 * `src/words/trouble.ts` puts each into words.
 */
export type NotedTrouble =
  /** Events were given up because the disk did not take them in time. */
  | { readonly code: 'EVENTS_DROPPED'; readonly count: number }
  /** A daemon, or a server, did not take messages of the log. `to`: its socket or address; `cause`: a code of the system. */
  | { readonly code: 'LOG_LOST'; readonly count: number; readonly to: string; readonly cause: string }
  /** Replies of DHCP were not sent, the last to `to`; `cause`: a code of the system. */
  | { readonly code: 'REPLY_UNSENT'; readonly count: number; readonly to: Ipv4; readonly cause: string }
  /** Requests of machines that the site does not list were dropped, since more come than can be answered. */
  | { readonly code: 'REQUESTS_DROPPED'; readonly count: number; readonly interface: string }
  /** Leases run for addresses that are in no network of the site, or that no pool lends any more. */
  | { readonly code: 'LEASES_MISPLACED'; readonly nowhere: MisplacedLeases; readonly unlent: MisplacedLeases }
  /** Requests of TFTP had to wait: for their turn, or for a file descriptor; `from`: the last of them. */
  | { readonly code: 'TFTP_BUSY' | 'TFTP_DESCRIPTORS'; readonly count: number; readonly from: Ipv4 }
  /** Requests of TFTP that came to nothing are not reported one by one. */
  | { readonly code: 'TFTP_UNLISTED'; readonly count: number; readonly from: Ipv4 }
  /** Sockets of TFTP failed; `cause`: what the system says of the last. */
  | { readonly code: 'TFTP_LISTEN'; readonly count: number; readonly cause: string }
  /** The reserve is given up for leases, or is kept again. */
  | { readonly code: 'DISK_FULL' | 'DISK_HAS_ROOM' }
  /** The file of the state was gone and was made anew; or can be written again. */
  | { readonly code: 'STATE_GONE' | 'STATE_AVAILABLE'; readonly file: string }
  /** What was last written to the file is lost with its log. */
  | { readonly code: 'STATE_LOST'; readonly file: string }
  | { readonly code: 'STATE_CHANGED'; readonly file: string; readonly how: 'changed' | 'replaced' }
  /** A damaged file was made anew of what it said; the tables of which not all could be read; where the damaged one is. */
  | {
      readonly code: 'STATE_REBUILT';
      readonly file: string;
      readonly incomplete: readonly string[];
      readonly damaged: string;
    }
  | DamagedRows;

/** Rows of a table that cannot be read: how many, and the keys of the first. */
export type DamagedRows = {
  readonly code: 'STATE_DAMAGED';
  readonly table: string;
  readonly count: number;
  readonly rows: readonly string[];
};

/** How many leases, and the first of them. */
export type MisplacedLeases = { readonly count: number; readonly first?: { readonly ip: Ipv4; readonly mac: Mac } };

/** Trouble that comes with its words: an error that was raised, or what an earlier release noted. `hint`: what to do. */
export type WordedTrouble = { readonly code: TroubleCode; readonly message: string; readonly hint?: string };

/** The codes of all trouble; they never change. */
export type TroubleCode = ErrorCode | NotedTrouble['code'];

export type Trouble = NotedTrouble | WordedTrouble;
