import type { NodeNote, Phase, Policy, RollNote, RollState } from '../model/rollNote.ts';

/** An instance that the roll asked the cloud to move. Times are milliseconds since the epoch. */
export type Move = {
  readonly kind: 'live' | 'cold';
  readonly tries: number;
  readonly askedAt: number;
  /** Why the cloud refused, in its words. */
  readonly refused?: string;
  /** When a cold move was last asked to be confirmed. */
  readonly confirmedAt?: number;
};

/** An order to a BMC. Times are milliseconds since the epoch. */
export type Cycle = {
  readonly askedAt: number;
  /** Why it cannot be done, in words; it is not asked again then. */
  readonly refused?: string;
};

/** A node of a roll. Times are milliseconds since the epoch. */
export type RollNode = {
  readonly node: string;
  readonly phase: Phase;
  /** When the phase began, or last got on. */
  readonly since: number;
  /** What it does or waits for. */
  readonly note: NodeNote | null;
  /** The image that it is to run, and the one that it ran before, where that is known. */
  readonly image: string;
  readonly before: string | null;
  /** Its pin before the roll. */
  readonly pinBefore: string | null;
  /** Whether the roll may have taken it out of service and has not brought it back. */
  readonly out: boolean;
  /** Whether its compute service was disabled by us. */
  readonly disabled: boolean;
  /** When the action that the phase waits for was last begun. */
  readonly askedAt: number | null;
  /** How often it was found empty and set to reboot. */
  readonly attempts: number;
  /** Orders to reboot that it has, or may have; those to its BMC among them. */
  readonly orders: number;
  /** Since when an order to reboot waits for it and it did not ask for orders. */
  readonly deafSince: number | null;
  /** The power cycle that its BMC was asked for, where its agent did not reboot it. */
  readonly cycle: Cycle | null;
  /** Instances still on the host when last looked. */
  readonly remaining: number | null;
  /** Boots that began later than this are the reboot's. */
  readonly rebootFrom: number | null;
  /** By the instance's id. */
  readonly moves: Readonly<Record<string, Move>>;
  /** What comes after `restoring`. */
  readonly restoreTo: 'failed' | 'left';
};

/** A node of a roll that has not been begun, to run `image`; `now` is milliseconds since the epoch. */
export function waitingNode(node: string, image: string, now: number): RollNode {
  return {
    node,
    phase: 'waiting',
    since: now,
    note: null,
    image,
    before: null,
    pinBefore: null,
    out: false,
    disabled: false,
    askedAt: null,
    attempts: 0,
    orders: 0,
    deafSince: null,
    cycle: null,
    remaining: null,
    rebootFrom: null,
    moves: {},
    restoreTo: 'failed',
  };
}

/** How far a roll may go. */
export type RollLimits = {
  /** How many nodes may be out of service at once. */
  readonly maxUnavailable: number;
  /** How many nodes may fail before it stops. */
  readonly failures: number;
  readonly policy: Policy;
  /** How long a rebooted node may take until it is ready, in milliseconds. */
  readonly bootMs: number;
};

/** What a roll may do where nothing else is asked for: real machines test their memory for minutes before they boot. */
export const USUAL_LIMITS: RollLimits = { maxUnavailable: 1, failures: 0, policy: 'wait', bootMs: 20 * 60_000 };

/** A roll as it is kept: enough to go on with after the server was killed at any moment. */
export type Roll = RollLimits & {
  readonly id: string;
  readonly begunAt: number;
  readonly endedAt: number | null;
  readonly state: RollState;
  /** What it will be called once it has stopped. */
  readonly endsAs: 'stopped' | 'aborted';
  /** Why it ended or stops, where its state does not show it. */
  readonly note: RollNote | null;
  /** Whether nodes stay pinned to their image when it is done: it is not the one that the site names. */
  readonly keepPins: boolean;
  /** The roll that this one takes back. */
  readonly takesBack: string | null;
  /** In the order in which they are begun. */
  readonly nodes: readonly RollNode[];
};

/** Pins by node: the hash of the image that it boots in place of the site's; `null` removes the pin. */
export type PinChanges = ReadonlyMap<string, string | null>;

const UNDER_WAY: ReadonlySet<Phase> = new Set([
  'disabling',
  'draining',
  'rebooting',
  'booting',
  'joining',
  'enabling',
  'restoring',
]);

export function isUnderWay({ phase }: Pick<RollNode, 'phase'>): boolean {
  return UNDER_WAY.has(phase);
}

export function isActive({ state }: Pick<Roll, 'state'>): boolean {
  return state === 'running' || state === 'stopping';
}

/** How many rolls that ended are remembered. */
const ENDED_KEPT = 50;

/** The ids of rolls that need not be remembered when one more begins: old ones, and none that is under way. */
export function forgettable(rolls: readonly Roll[]): readonly string[] {
  const ended = rolls.filter((roll) => !isActive(roll)).sort((a, b) => a.begunAt - b.begunAt);
  return ended.slice(0, -ENDED_KEPT).map(({ id }) => id);
}

const REASON = 'reveille roll ';

/** The reason that a compute service is disabled with: it names the roll, and distinguishes it from an operator's. */
export function disabledReason(roll: Pick<Roll, 'id'>): string {
  return `${REASON}${roll.id}: renewing the node`;
}

/** Whether a service was disabled by a roll, this one or an earlier. */
export function isOurReason(reason: string | undefined): boolean {
  return reason?.startsWith(REASON) ?? false;
}
