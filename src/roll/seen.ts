import type { Instance } from '../cloud/instances.ts';
import type { ComputeService } from '../cloud/view.ts';
import type { CloudStanding } from '../model/cloudStanding.ts';
import type { BootProgress } from '../model/rollNote.ts';

/** What is seen of the rack and its cloud at one moment. */
export type Seen = {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** By name; a node that is not there has left the site. */
  readonly nodes: ReadonlyMap<string, SeenNode>;
};

export type SeenNode = {
  /** The newest boot: when it began, its state, and the image that it runs where that was seen. */
  readonly boot?: {
    readonly startedAt: number;
    readonly image?: string;
  } & BootProgress;
  /** Whether it waits for orders now. */
  readonly listens: boolean;
  /** Whether the site gives it a BMC. */
  readonly bmc: boolean;
  /** Whether its files are those that the site gives it; `unknown` where it has not reported. */
  readonly files: 'right' | 'others' | 'failed' | 'unknown';
  readonly cloud: SeenInCloud;
};

/** `none`: no compute node. `unknown`: the cloud could not be asked. */
export type SeenInCloud =
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly message: string }
  | {
      readonly kind: 'seen';
      readonly service?: ComputeService;
      /** Whether the newest boot is in service; absent where it is not ready. */
      readonly standing?: CloudStanding;
      /** The instances on it; absent where that was not asked. */
      readonly instances?: readonly Instance[];
      /** How many instances are on their way to it or have not quite left; absent where it has others, or that was not asked. */
      readonly unended?: number;
      /** Instances that the roll moved cold and that are elsewhere now, by id; `gone` where the cloud knows them no more. */
      readonly moved: ReadonlyMap<string, Instance | 'gone'>;
    };
