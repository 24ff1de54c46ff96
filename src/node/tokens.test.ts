import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../model/event.ts';
import type { Mac } from '../model/mac.ts';
import { brokenStore, emptyStore } from '../state/testing/fakes.ts';
import { bootedNode } from './bootedNode.ts';
import { formatState, ISSUE_MS, NO_TOKEN, PLAIN_MS, parseState } from './tokenState.ts';
import type { TokenStore } from './tokenStore.ts';
import { NodeTokens } from './tokens.ts';

const REFUSED = { code: 'IDENTITY_REFUSED' };
const START = Date.UTC(2026, 0, 2);

async function tokensOf(store: TokenStore = emptyStore().tokens) {
  const clock = { now: START };
  const troubles: unknown[] = [];
  const reopened = () =>
    NodeTokens.open({ store, now: () => clock.now, trouble: (error) => void troubles.push(error) });
  return { tokens: await reopened(), clock, store, troubles, reopened };
}

function nodes(macsOf: Readonly<Record<string, readonly number[]>>) {
  const macs = (numbers: readonly number[]) => numbers.map((n) => `52:54:00:00:00:0${n}` as Mac);
  const all = Object.entries(macsOf).map(([name, numbers]) => ({ name, macs: macs(numbers) }));
  return {
    nodes: new Map(all.map((node) => [node.name, node])),
    nodeByMac: new Map(all.flatMap((node) => node.macs.map((mac) => [mac, node]))),
  };
}

/** The token of a boot that is seen now. */
async function booted(tokens: NodeTokens, node = 'node01'): Promise<string> {
  tokens.bootSeen(node);
  return tokenOf(tokens, node);
}

/** What a bundle brings that is asked for with a token. */
async function tokenOf(tokens: NodeTokens, node = 'node01'): Promise<string> {
  assert.deepEqual(tokens.admitBundle(node, undefined, true), { asksToken: true });
  return tokens.issue(node);
}

describe('the token of a node', () => {
  it('comes with the first bundle of a boot, and every request needs it from then on', async () => {
    const { tokens } = await tokensOf();
    tokens.bootSeen('node01');
    tokens.admit('node01', undefined);
    const token = await tokenOf(tokens);
    assert.match(token, /^[0-9a-f]{64}$/);
    assert.throws(() => tokens.admit('node01', undefined), REFUSED);
    assert.throws(() => tokens.admit('node01', '0'.repeat(64)), REFUSED);
    tokens.admit('node01', token);
    tokens.admit('node01', token);
    assert.deepEqual(tokens.admitBundle('node01', token, false), {});
  });

  it('is handed out again until it was used, and not after that', async () => {
    const { tokens } = await tokensOf();
    const token = await booted(tokens);
    assert.equal(await tokenOf(tokens), token);
    tokens.admit('node01', token);
    assert.throws(() => tokens.admitBundle('node01', undefined, true), REFUSED);
    assert.throws(() => tokens.admitBundle('node01', undefined, false), REFUSED);
  });

  it('is no other node’s', async () => {
    const { tokens } = await tokensOf();
    const first = await booted(tokens);
    const second = await booted(tokens, 'node02');
    assert.notEqual(first, second);
    assert.throws(() => tokens.admit('node02', first), REFUSED);
  });

  it('is asked for in vain where no boot was seen, or one long ago', async () => {
    const { tokens, clock } = await tokensOf();
    assert.throws(() => tokens.admitBundle('node01', undefined, true), REFUSED);
    tokens.bootSeen('node01');
    clock.now += ISSUE_MS;
    assert.throws(() => tokens.admitBundle('node01', undefined, true), REFUSED);
  });

  it('is waited for as long as the agent asks, where the bundle cannot be made; the node speaks without one meanwhile', async () => {
    const { tokens, clock } = await tokensOf();
    tokens.bootSeen('node01');
    for (let i = 0; i < 100; i++) {
      clock.now += ISSUE_MS / 2;
      assert.deepEqual(tokens.admitBundle('node01', undefined, true), { asksToken: true });
      tokens.admit('node01', undefined);
    }
    tokens.admit('node01', await tokens.issue('node01'));
    await assert.rejects(tokens.issue('node01'), REFUSED);
  });

  it('is a new one after the next boot; the old one then opens nothing', async () => {
    const { tokens, clock } = await tokensOf();
    const old = await booted(tokens);
    tokens.admit('node01', old);
    clock.now += 3_600_000;
    const next = await booted(tokens);
    tokens.admit('node01', next);
    assert.throws(() => tokens.admit('node01', old), REFUSED);
  });

  it('of a node that goes on running makes a boot that was only pretended void, with what was handed out in it', async () => {
    const { tokens, clock } = await tokensOf();
    const token = await booted(tokens);
    tokens.admit('node01', token);
    clock.now += 3_600_000;
    const thief = await booted(tokens);
    tokens.admit('node01', token);
    assert.throws(() => tokens.admit('node01', thief), REFUSED);
    assert.throws(() => tokens.admitBundle('node01', undefined, true), REFUSED);
  });

  it('survives boots that are pretended while it was not used yet', async () => {
    const { tokens, clock } = await tokensOf();
    const token = await booted(tokens);
    for (let i = 0; i < 3; i++) {
      clock.now += 120_000;
      tokens.bootSeen('node01');
    }
    tokens.admit('node01', token);
    assert.throws(() => tokens.admit('node01', undefined), REFUSED);
  });

  it('is kept as a hash alone, and a restart changes nothing', async () => {
    const { tokens, store, reopened } = await tokensOf();
    const token = await booted(tokens);
    const unused = await booted(tokens, 'node02');
    tokens.admit('node01', token);
    await tokens.settled();
    const text = [...(await store.read()).values()].join('\n');
    assert.ok(!text.includes(token) && text.includes(createHash('sha256').update(token).digest('hex')));
    const again = await reopened();
    again.admit('node01', token);
    again.admit('node02', unused);
    assert.throws(() => again.admit('node01', undefined), REFUSED);
    assert.throws(() => again.admitBundle('node01', undefined, true), REFUSED);
  });

  it('is handed out though the state cannot be written; the next change writes it', async () => {
    let isBroken = true;
    const good = emptyStore().tokens;
    const store: TokenStore = {
      read: good.read,
      save: (changed) => (isBroken ? brokenStore().tokens : good).save(changed),
    };
    const { tokens, troubles, reopened } = await tokensOf(store);
    const token = await booted(tokens);
    assert.ok(troubles.length > 0);
    isBroken = false;
    tokens.admit('node01', token);
    await tokens.settled();
    (await reopened()).admit('node01', token);
  });

  it('survives an edit that takes the node out of the site and puts it back', async () => {
    const { tokens, reopened } = await tokensOf();
    const token = await booted(tokens);
    tokens.admit('node01', token);
    tokens.siteChanged(nodes({ node01: [1] }));
    tokens.siteChanged(nodes({}));
    await tokens.settled();
    tokens.siteChanged(nodes({ node01: [1] }));
    tokens.admit('node01', token);
    (await reopened()).admit('node01', token);
  });

  it('goes with the machine when the site gives it another name, or changes names', async () => {
    const { tokens, reopened } = await tokensOf();
    const [first, second] = [await booted(tokens), await booted(tokens, 'node02')];
    tokens.admit('node01', first);
    tokens.siteChanged(nodes({ node01: [1, 2], node02: [3] }));
    tokens.siteChanged(nodes({ node02: [1, 2], node01: [3] }));
    tokens.admit('node02', first);
    assert.equal(await tokenOf(tokens, 'node01'), second, 'not used yet: it is handed out again');
    tokens.admit('node01', second);
    tokens.siteChanged(nodes({ other: [2], node01: [3] }));
    tokens.admit('other', first);
    assert.throws(() => tokens.admit('node02', first), REFUSED);
    await tokens.settled();
    const after = await reopened();
    after.admit('other', first);
    after.admit('node01', second);
    assert.throws(() => after.admit('node02', first), REFUSED);
  });

  it('is not to be had for longer because the clock was set back while the server was down', async () => {
    const { tokens, clock, reopened } = await tokensOf();
    tokens.bootSeen('node01');
    await tokens.settled();
    clock.now -= 86_400_000;
    const after = await reopened();
    clock.now += ISSUE_MS - 1;
    assert.deepEqual(after.admitBundle('node01', undefined, true), { asksToken: true });
    const later = await reopened();
    clock.now += 2 * ISSUE_MS;
    assert.throws(() => later.admitBundle('node01', undefined, true), REFUSED);
  });

  it('stays with the node that gets one more card', async () => {
    const { tokens } = await tokensOf();
    const token = await booted(tokens);
    tokens.siteChanged(nodes({ node01: [1], spare: [2] }));
    tokens.siteChanged(nodes({ node01: [2, 1] }));
    tokens.admit('node01', token);
  });

  it('is forgotten with nodes that left only where they are many, those that booted first', async () => {
    const { tokens, clock, store } = await tokensOf();
    for (let i = 0; i < 4100; i++) {
      clock.now += 1;
      tokens.bootSeen(`node${i}`);
    }
    tokens.siteChanged(nodes({ node0: [1] }));
    await tokens.settled();
    const kept = await store.read();
    assert.equal(kept.size, 4097);
    assert.deepEqual([kept.has('node0'), kept.has('node3'), kept.has('node4')], [true, false, true]);
  });
});

describe('an agent that knows of no tokens', () => {
  it('boots: its bundle within minutes of the boot, everything else at any time', async () => {
    const { tokens, clock } = await tokensOf();
    tokens.bootSeen('node01');
    clock.now += PLAIN_MS - 1;
    assert.deepEqual(tokens.admitBundle('node01', undefined, false), {});
    tokens.admit('node01', undefined);
    clock.now += 1;
    assert.throws(
      () => tokens.admitBundle('node01', undefined, false),
      (error: { hint?: string }) => {
        assert.match(error.hint ?? '', /build the image again/);
        return true;
      },
    );
    tokens.admit('node01', undefined);
    tokens.bootSeen('node01');
    assert.deepEqual(tokens.admitBundle('node01', undefined, false), {});
  });

  it('opens no way to a token for others on its machine', async () => {
    const { tokens } = await tokensOf();
    tokens.bootSeen('node01');
    tokens.admitBundle('node01', undefined, false);
    assert.throws(() => tokens.admitBundle('node01', undefined, true), REFUSED);
  });
});

describe('what is kept of a token', () => {
  it('is read back as it was, and any other text as nothing known', () => {
    const hash = fc.oneof(fc.constant(''), fc.stringMatching(/^[0-9a-f]{64}$/));
    const state = fc.record({
      phase: fc.constantFrom('open', 'issued', 'used'),
      bootedAt: fc.nat(),
      hash,
      before: hash,
      plain: fc.boolean(),
    });
    fc.assert(fc.property(state, (any) => assert.deepEqual(parseState(formatState(any)), { ...any })));
    fc.assert(fc.property(fc.string(), (text) => assert.deepEqual(parseState(text), NO_TOKEN)));
  });
});

describe('a request without a token', () => {
  it('gets neither bundle nor token after the agent has used its own, whatever comes in between but a boot', async () => {
    const step = fc.constantFrom('none', 'want', 'plain', 'guess', 'own', 'wait');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const { tokens, clock } = await tokensOf();
        const own = await booted(tokens);
        tokens.admit('node01', own);
        for (const one of steps) {
          if (one === 'wait') clock.now += 400_000;
          else if (one === 'own') tokens.admit('node01', own);
          else if (one === 'none') assert.throws(() => tokens.admit('node01', undefined), REFUSED);
          else if (one === 'guess') assert.throws(() => tokens.admit('node01', 'a'.repeat(64)), REFUSED);
          else assert.throws(() => tokens.admitBundle('node01', undefined, one === 'want'), REFUSED);
        }
      }),
    );
  });
});

describe('an event', () => {
  const discover = { kind: 'dhcp.discover', at: 1, stage: 'firmware', node: 'node01' } as const;
  const rows: readonly (readonly [string, object, string | undefined])[] = [
    ['of the firmware shows a boot', discover, 'node01'],
    ['of iPXE shows a boot', { ...discover, stage: 'ipxe' }, 'node01'],
    ['of the operating system does not', { ...discover, stage: 'os' }, undefined],
    ['that an ordinary user may have caused does not', { ...discover, unprivileged: true }, undefined],
    ['on another network does not', { ...discover, wrongNetwork: true }, undefined],
    ['of a stranger does not', { ...discover, node: undefined }, undefined],
    ['of BOOTP shows a boot', { ...discover, kind: 'dhcp.ack', stage: 'os', bootp: true }, 'node01'],
    [
      'of BOOTP that an ordinary user may have caused does not',
      { ...discover, kind: 'dhcp.ack', bootp: true, unprivileged: true },
      undefined,
    ],
    ['of an ACK does not', { ...discover, kind: 'dhcp.ack' }, undefined],
    ['of another kind does not', { ...discover, kind: 'dhcp.request' }, undefined],
  ];
  for (const [what, event, node] of rows) it(what, () => assert.equal(bootedNode(event as Event), node));
});
