import type { ErrorCode } from '../errors.ts';
import type { BootStep } from './bootStep.ts';
import type { CloudStanding } from './cloudStanding.ts';

/**
 * Where a node is on its way to the wanted image. `joining`: booted, not yet in service; `restoring`: put back into service
 * without having been rebooted; `left`: not renewed, and in service as before.
 */
export const PHASES = [
  'waiting',
  'disabling',
  'draining',
  'rebooting',
  'booting',
  'joining',
  'enabling',
  'restoring',
  'done',
  'skipped',
  'failed',
  'left',
] as const;
export type Phase = (typeof PHASES)[number];

/** `stopping`: no node is begun any more, those under way end. */
export type RollState = 'running' | 'stopping' | 'done' | 'stopped' | 'aborted';

/** What becomes of instances that cannot be moved while they run. */
export const POLICIES = ['cold', 'leave', 'wait', 'stop-roll'] as const;
export type Policy = (typeof POLICIES)[number];

/** An instance that cannot be moved; `tried`: how often it was asked to move, how, and why that was refused last. */
export type Stuck = {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly tried?: { readonly kind: 'live' | 'cold'; readonly tries: number; readonly refused?: string };
};

/** How far a boot came: the step that failed, else the last one. */
export type BootProgress = { readonly state: 'booting' | 'ready' | 'failed'; readonly step?: BootStep };

/** Why a node is not rebooted by its agent: it does not ask for orders, or took one and did not go down. */
export type NotRebooted = 'agent-silent' | 'order-lost';

/** Why an action could not be done; `order-untaken`: the agent did not take the order to reboot. */
export type ActionFailure =
  | { readonly code: 'order-untaken' }
  | { readonly code: 'error'; readonly error: ErrorCode; readonly message: string };

/** What a node of a roll does or waits for, or why it ended as it did. */
export type NodeNote =
  | {
      readonly code: /** The site has no such node any more. */
        | 'left-site'
        | 'runs-image'
        /** Nova knows no compute service on it. */
        | 'no-service'
        | 'disabling'
        /** Somebody else enabled its compute service. */
        | 'enabled-meanwhile'
        | 'empty'
        | 'moves-unconfirmed'
        | 'instances-keep-coming'
        | 'to-reboot'
        | 'ordered-to-reboot'
        | 'joins'
        | 'files-failed'
        | 'in-service'
        | 'enabling'
        | 'stopped-before-reboot'
        | 'tried-again'
        | 'not-begun';
    }
  | { readonly code: 'cloud-unknown'; readonly message: string }
  /** Its service is disabled; `before`: it was already, for that reason. */
  | { readonly code: 'disabled'; readonly before?: { readonly reason?: string } }
  | { readonly code: 'instances'; readonly remaining: number; readonly moving: number }
  | { readonly code: 'stuck'; readonly stuck: Stuck; readonly remaining?: number }
  /** Of so many moves from or to it Nova has not recorded the end. */
  | { readonly code: 'moves-unended'; readonly moves: number }
  | { readonly code: 'not-empty-again'; readonly drain: NodeNote }
  | { readonly code: 'power-cycled'; readonly why: NotRebooted }
  /** It is not rebooted now. `bmc`: it is asked next, the site names none, or it refused. */
  | {
      readonly code: 'not-rebooted';
      readonly why: NotRebooted;
      readonly bmc: { readonly state: 'next' | 'none' } | { readonly state: 'refused'; readonly message: string };
    }
  | { readonly code: 'cycle-failed'; readonly message: string }
  | { readonly code: 'action-failed'; readonly failure: ActionFailure }
  | { readonly code: 'boots'; readonly boot: BootProgress; readonly cycled?: true }
  | { readonly code: 'boots-again'; readonly boot?: BootProgress }
  /** `found`: the image that it booted, where that is known. */
  | { readonly code: 'wrong-image'; readonly wanted: string; readonly found?: string }
  | { readonly code: 'standing'; readonly standing: CloudStanding }
  /** `cycled`: by its BMC. `disabled`: its service stays so, for that reason. */
  | { readonly code: 'renewed'; readonly cycled: boolean; readonly disabled?: { readonly reason?: string } }
  | { readonly code: 'late'; readonly limitMs: number; readonly note: NodeNote | null }
  | { readonly code: 'failed'; readonly phase: Phase; readonly why: NodeNote; readonly staysDisabled?: true }
  /** What a roll would do with it; `instances` it would move live, and those that it cannot. */
  | { readonly code: 'would-skip' }
  | { readonly code: 'would-wait'; readonly message: string }
  | {
      readonly code: 'would-reboot';
      readonly instances?: { readonly live: number; readonly others: number; readonly policy: Policy };
      readonly staysDisabled?: true;
    }
  | EarlierNote;

/** Why a roll ended or stops, where its state alone does not say it. */
export type RollNote =
  | { readonly code: 'aborted' }
  | { readonly code: 'stopped-by-node'; readonly node: string; readonly why: NodeNote | null }
  | { readonly code: 'too-many-failed'; readonly failed: number; readonly allowed: number }
  /** Nodes that failed are out of service, and no more may be. */
  | { readonly code: 'too-many-out'; readonly out: number }
  | { readonly code: 'some-failed'; readonly failed: number }
  | EarlierNote;

/** A note that an earlier release stored in words. */
export type EarlierNote = { readonly code: 'earlier'; readonly words: string };

/** The note of what an earlier release stored in words. */
export function earlierNote(words: string): EarlierNote | null {
  return words === '' ? null : { code: 'earlier', words };
}
