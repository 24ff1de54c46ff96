import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { ReveilleError } from '../errors.ts';
import { GroupCommit } from '../groupCommit.ts';
import type { GaugesOf } from '../model/gauges.ts';
import type { Mac } from '../model/mac.ts';
import { recall } from '../recall.ts';
import {
  afterAsking,
  afterBoot,
  afterIssue,
  afterPlain,
  afterUse,
  asOf,
  formatState,
  mayIssue,
  mayLeavePlain,
  NO_TOKEN,
  needsToken,
  parseState,
  type TokenState,
} from './tokenState.ts';
import type { TokenStore } from './tokenStore.ts';

export type TokensFrom = {
  readonly store: TokenStore;
  /** Milliseconds since the epoch as of the start, by a clock that never jumps. */
  readonly now: () => number;
  /** Is called when a store fails. Nodes boot all the same: what is known stays in memory. */
  readonly trouble: (error: unknown) => void;
};

/** How a request for a bundle is admitted; `asksToken`: a token comes with the bundle, once it is made (`issue`). */
export type BundleAdmission = { readonly asksToken?: true };

/** A node that an edit leaves as it was stays the same object. */
type NodesOf = {
  readonly nodes: ReadonlyMap<string, { readonly macs: readonly Mac[] }>;
  readonly nodeByMac: ReadonlyMap<Mac, { readonly name: string }>;
};

/** Of nodes that left the site so many are kept: running nodes must not lose their tokens by an edit that is undone. */
const MOST_GONE = 4096;
/** Signs of one boot come within moments: they are written down once in this time. */
const SAME_BOOT_MS = 60_000;
const TOKEN = /^[0-9a-f]{64}$/;

/**
 * The nodes' tokens: an address alone does not distinguish the agent from another user of its machine, or from an instance whose traffic
 * the machine masquerades. The first bundle of a boot brings a token that only root on the node can read; from then on each request
 * of the node presents it. Only hashes are kept, so that a restart changes nothing and no copy of the state helps a thief.
 */
export class NodeTokens {
  readonly #from: TokensFrom;
  readonly #states = new Map<string, TokenState>();
  /** Why the store could not be read yet. */
  #unknown: unknown;
  /** Tokens that were handed out and not used yet: a node that asks again, because no answer came, gets the same. */
  readonly #issued = new Map<string, string>();
  readonly #unsaved = new Set<string>();
  /** The nodes of the site as it was last. */
  #site: NodesOf = { nodes: new Map(), nodeByMac: new Map() };
  readonly #commit: GroupCommit<ReadonlyMap<string, string | null>>;
  #issuedInAll = 0;
  #refused = 0;

  private constructor(from: TokensFrom) {
    this.#from = from;
    this.#commit = new GroupCommit({
      take: () => this.#takeUnsaved(),
      write: (changed) => from.store.save(changed),
      lost: (changed, error) => {
        from.trouble(error);
        // Tried again with the next change.
        for (const node of changed.keys()) this.#unsaved.add(node);
        return false;
      },
    });
  }

  /** Opens them with what the store keeps. Until that can be read, only nodes that were seen booting meanwhile are answered. */
  static async open(from: TokensFrom): Promise<NodeTokens> {
    const tokens = new NodeTokens(from);
    await recall(
      async () => {
        for (const [node, text] of await from.store.read())
          if (!tokens.#states.has(node)) tokens.#states.set(node, asOf(from.now(), parseState(text)));
        tokens.#unknown = undefined;
      },
      (error) => {
        tokens.#unknown = error;
      },
    );
    return tokens;
  }

  /** Nodes whose tokens are known; tokens handed out and requests refused since the start. */
  gauges(): GaugesOf<'tokens'> {
    return { nodes: this.#states.size, issued: this.#issuedInAll, refused: this.#refused };
  }

  /** The node's firmware or loader asked for an address in its own network, from a port that takes root to send from. */
  bootSeen(node: string): void {
    const now = this.#from.now();
    // A boot counts whatever was known before it.
    const state = this.#states.get(node) ?? NO_TOKEN;
    if (state.phase === 'open' && !state.plain && Math.abs(now - state.bootedAt) < SAME_BOOT_MS) return;
    this.#issued.delete(node);
    this.#change(node, afterBoot(state, now));
  }

  /** Lets a request of `node` pass, or throws IDENTITY_REFUSED. */
  admit(node: string, token: string | undefined): void {
    if (token !== undefined && this.#use(node, token)) return;
    if (token !== undefined) throw this.#refusal(node, 'with a token that is not its own', LOST);
    if (needsToken(this.#of(node))) throw this.#refusal(node, 'without its token', LOST);
  }

  /** The same for one that asks for a bundle; `asksToken`: it asks for a token too. */
  admitBundle(node: string, token: string | undefined, asksToken: boolean): BundleAdmission {
    if (token !== undefined) {
      this.admit(node, token);
      return {};
    }
    const now = this.#from.now();
    const state = this.#of(node);
    if (asksToken) {
      if (!mayIssue(state, now)) throw this.#refusal(node, 'for a token, though no boot of it is under way', LOST);
      // A boot keeps its token while the site has to be corrected first.
      if (state.phase === 'open' && now - state.bootedAt > SAME_BOOT_MS) this.#change(node, afterAsking(state, now));
      return { asksToken };
    }
    if (needsToken(state)) throw this.#refusal(node, 'for its bundle without its token', LOST);
    if (!mayLeavePlain(state, now))
      throw this.#refusal(node, 'for its bundle without a token, long after its boot', OLD);
    if (!state.plain) this.#change(node, afterPlain(state));
    return {};
  }

  /** The token that goes with the bundle of a request that was let pass for it; resolves once the state has it. Throws IDENTITY_REFUSED. */
  async issue(node: string): Promise<string> {
    const state = this.#of(node);
    if (!mayIssue(state, this.#from.now())) throw this.#refusal(node, 'for a token that another request had', LOST);
    const before = this.#issued.get(node);
    if (before !== undefined) return before;
    const token = randomBytes(32).toString('hex');
    this.#issued.set(node, token);
    this.#issuedInAll++;
    this.#change(node, afterIssue(state, hashOf(token)));
    await this.#save();
    return token;
  }

  /**
   * Takes in which nodes the site has now. A machine that has another name keeps its token. Nodes that left are remembered, those
   * that booted last, as long as they are no more than MOST_GONE.
   */
  siteChanged(site: NodesOf): void {
    const { nodes } = site;
    const before = this.#site;
    this.#site = site;
    const moved = new Map<string, string>();
    for (const [name, node] of nodes) {
      if (before.nodes.get(name) === node) continue;
      const names = node.macs.map((mac) => before.nodeByMac.get(mac)?.name).filter((one) => one !== undefined);
      const [former] = names;
      if (former !== undefined && !names.includes(name)) moved.set(name, former);
    }
    const taken = [...moved].map(([name, former]) => ({ name, ...this.#takeOut(former) }));
    for (const { name, state, issued } of taken) {
      if (state === undefined) continue;
      if (issued !== undefined) this.#issued.set(name, issued);
      this.#states.set(name, state);
      this.#unsaved.add(name);
    }
    const gone = [...this.#states].filter(([name]) => !nodes.has(name)).sort(([, a], [, b]) => b.bootedAt - a.bootedAt);
    for (const [name] of gone.slice(MOST_GONE)) this.#takeOut(name);
    void this.#save();
  }

  /** Resolves once everything is written that is to be. */
  settled(): Promise<void> {
    return this.#save();
  }

  /** Forgets what is known of a node, and gives it. */
  #takeOut(node: string): { readonly state: TokenState | undefined; readonly issued: string | undefined } {
    const was = { state: this.#states.get(node), issued: this.#issued.get(node) };
    if (was.state !== undefined) this.#unsaved.add(node);
    this.#states.delete(node);
    this.#issued.delete(node);
    return was;
  }

  #refusal(node: string, how: string, hint: string): ReveilleError {
    this.#refused++;
    return new ReveilleError('IDENTITY_REFUSED', `${node} asks ${how} (${hint})`, { hint });
  }

  #use(node: string, token: string): boolean {
    if (!TOKEN.test(token)) return false;
    const presented = Buffer.from(hashOf(token));
    const state = this.#of(node);
    const next = afterUse(state, (hash) => timingSafeEqual(Buffer.from(hash), presented));
    if (next === undefined) return false;
    this.#issued.delete(node);
    if (next.phase !== state.phase || next.hash !== state.hash) this.#change(node, next);
    return true;
  }

  #of(node: string): TokenState {
    const state = this.#states.get(node);
    if (state === undefined && this.#unknown !== undefined) throw this.#unknown;
    return state ?? NO_TOKEN;
  }

  #change(node: string, state: TokenState): void {
    this.#states.set(node, state);
    this.#unsaved.add(node);
    void this.#save();
  }

  /** Settles once what is unsaved now is written, or the store has refused it. */
  async #save(): Promise<void> {
    await this.#commit.run();
  }

  #takeUnsaved(): ReadonlyMap<string, string | null> | undefined {
    if (this.#unsaved.size === 0) return undefined;
    const changed = [...this.#unsaved].map((node) => {
      const state = this.#states.get(node);
      return [node, state === undefined ? null : formatState(state)] as const;
    });
    this.#unsaved.clear();
    return new Map(changed);
  }
}

const LOST = 'the node gets a token when it boots: boot it again';
const OLD = 'its image is of an earlier version: build the image again, and boot the node';

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
