import type { AgentStep } from './agentStep.ts';
import type { FileRole } from './bootFile.ts';
import type { CloudStanding, EarlierStanding } from './cloudStanding.ts';

/**
 * One thing that a boot achieved or failed at. `ms` is how long the step itself took, where that is known. Fields with text are absent
 * where their boot holds too much of it.
 */
export type BootStep = {
  readonly at: number;
  readonly status: 'running' | 'done' | 'failed';
  readonly ms?: number;
  /** Text that came with it: what the node says of its step, why an address was refused, or what an earlier release stored. */
  readonly detail?: string;
  /** The tail of what a failing command printed. */
  readonly output?: string;
} & (
  | {
      /** Firmware, iPXE or the system asks for an address; the system has it; another DHCP server's offer is taken. */
      readonly code:
        | 'firmware-asks'
        | 'ipxe-asks'
        | 'system-asks'
        | 'system-address'
        | 'other-server'
        | 'address-refused';
    }
  /** Firmware or iPXE has an address, and the boot file `bootFile`. */
  | { readonly code: 'address'; readonly bootFile?: string }
  | FileStep
  | AgentStep
  /** Whether the cloud has the node in service: the last milestone of a node that belongs to one. */
  | { readonly code: 'in-service'; readonly standing?: CloudStanding | EarlierStanding }
);

/** A file was sent, or failed for `cause`; `image` is the SHA-256 of the image that it belongs to. */
export type FileStep = {
  readonly code: FileRole;
  readonly file?: string;
  readonly image?: string;
  readonly bytes?: number;
  readonly cause?: string;
};

export type StepCode = BootStep['code'];
