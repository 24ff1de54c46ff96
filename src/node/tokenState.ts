/**
 * What is known of a node's token. `open`: the machine boots, and its token is still to be handed out; `issued`: it was handed out
 * and not used yet; `used`: the node has it. Hashes are SHA-256 in hex, or empty.
 */
export type TokenState = {
  readonly phase: 'open' | 'issued' | 'used';
  /** When a boot was last seen, or asked on in; ms since the epoch; 0: never. */
  readonly bootedAt: number;
  /** The hash of the token that was handed out in this boot. */
  readonly hash: string;
  /** The hash of the token before it, which still counts while the new one was not used: then no boot has really happened. */
  readonly before: string;
  /** A bundle left without a token in this boot: to an agent that knows of none. */
  readonly plain: boolean;
};

/** A node of which nothing was seen. */
export const NO_TOKEN: TokenState = { phase: 'open', bootedAt: 0, hash: '', before: '', plain: false };

/** After a boot was seen, so long may an agent that knows tokens ask for one, and one that does not for its bundle. */
export const ISSUE_MS = 30 * 60_000;
export const PLAIN_MS = 10 * 60_000;

/** The machine boots: its firmware or loader asked for an address. */
export function afterBoot(state: TokenState, now: number): TokenState {
  return { phase: 'open', bootedAt: now, hash: '', before: state.hash || state.before, plain: false };
}

/** A token was presented that has this hash: the state after, or `undefined` if it is not the node's. */
export function afterUse(state: TokenState, isHash: (hash: string) => boolean): TokenState | undefined {
  if (state.hash !== '' && isHash(state.hash)) return { ...state, phase: 'used', before: '' };
  // The agent that had a token still runs: what looked like a boot was none, and what was handed out since is void.
  if (state.before !== '' && isHash(state.before)) return { ...state, phase: 'used', hash: state.before, before: '' };
  return undefined;
}

/** Whether requests need a token. */
export function needsToken({ phase }: TokenState): boolean {
  return phase !== 'open';
}

/** Whether a token may be handed out now. */
export function mayIssue({ phase, bootedAt, plain }: TokenState, now: number): boolean {
  return phase === 'issued' || (phase === 'open' && !plain && isWithin(now, bootedAt, ISSUE_MS));
}

/** A token was asked for, and not handed out yet because the bundle could not be made: the boot goes on. */
export function afterAsking(state: TokenState, now: number): TokenState {
  return { ...state, bootedAt: now };
}

export function afterIssue(state: TokenState, hash: string): TokenState {
  return { ...state, phase: 'issued', hash };
}

/** Whether a bundle may leave without a token now. */
export function mayLeavePlain({ phase, bootedAt }: TokenState, now: number): boolean {
  return phase === 'open' && isWithin(now, bootedAt, PLAIN_MS);
}

export function afterPlain(state: TokenState): TokenState {
  return { ...state, plain: true };
}

/** A state from disk: a boot that lies in the future, since the clock was set back in between, counts as just seen. */
export function asOf(now: number, state: TokenState): TokenState {
  return state.bootedAt > now ? { ...state, bootedAt: now } : state;
}

function isWithin(now: number, at: number, ms: number): boolean {
  return at !== 0 && now - at < ms;
}

/** The state as text: phase, time, hash, hash before, and whether a bundle left without a token; and back. */
export function formatState({ phase, bootedAt, hash, before, plain }: TokenState): string {
  return `${phase} ${bootedAt} ${hash || '-'} ${before || '-'} ${plain ? 'plain' : '-'}`;
}

/** Text of another form is read as a node of which nothing was seen. */
export function parseState(text: string): TokenState {
  const [, phase, at, hash = '-', before = '-', plain] =
    /^(open|issued|used) (\d{1,15}) ([0-9a-f]{64}|-) ([0-9a-f]{64}|-) (plain|-)$/.exec(text) ?? [];
  if (phase !== 'open' && phase !== 'issued' && phase !== 'used') return NO_TOKEN;
  const orNone = (one: string) => (one === '-' ? '' : one);
  return { phase, bootedAt: Number(at), hash: orNone(hash), before: orNone(before), plain: plain === 'plain' };
}
