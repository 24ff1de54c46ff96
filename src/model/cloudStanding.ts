import type { ErrorCode } from '../errors.ts';

/** What is missing for a node to be in service. */
export type CloudMissing = {
  readonly node: string;
  /** How much the cloud's clock is ahead of this server's (behind: negative), milliseconds; absent where they agree. */
  readonly cloudAheadMs?: number;
} & (
  | {
      /** No compute service; it has not reported since the boot began; it did and Nova calls it down. No hypervisor; it is down. */
      readonly standing: 'compute-service' | 'compute-report' | 'compute-down' | 'hypervisor' | 'hypervisor-down';
    }
  /** The cloud cannot be asked. */
  | { readonly standing: 'cloud'; readonly error: ErrorCode; readonly message: string; readonly advice?: string }
  /** A compute service `service` reports as `host`, which is another name than the node's. */
  | { readonly standing: 'other-name'; readonly host: string; readonly service: string }
  | { readonly standing: 'compute-disabled-itself'; readonly cause: string }
  /** Placement has no resource provider for the hypervisor `name`; `other`: the one that keeps it out. */
  | {
      readonly standing: 'provider';
      readonly name: string;
      readonly other?: { readonly id: string; readonly name: string };
    }
  /** Neutron knows no agent of that binary. */
  | { readonly standing: 'network-agent'; readonly agent: string }
  /** The agent reports no more; `reported`: it did since the boot began. */
  | { readonly standing: 'network-agent-report'; readonly agent: string; readonly reported: boolean }
);

export type CloudInService = {
  readonly standing: 'in-service';
  readonly node: string;
  readonly enabled: boolean;
  readonly disabledReason?: string;
};

/** Whether the cloud has a node in service, and else what is missing. */
export type CloudStanding = CloudInService | CloudMissing;

/** A standing of an event or boot that an earlier release stored: its words stand for the values. */
export type EarlierStanding = {
  readonly standing: CloudStanding['standing'] | 'unknown';
  readonly earlier: { readonly words: string; readonly hint?: string };
};
