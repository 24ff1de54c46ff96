import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokenStore, emptyStore } from '../state/testing/fakes.ts';
import { hashOfToken, newTokenText, tokenOf } from './apiToken.ts';
import { ApiTokens } from './apiTokens.ts';
import { ROLES, suffices } from './role.ts';
import { apiToken } from './testing/apiTokenStoreContract.ts';

describe('roles', () => {
  it('contain each other in their order', () => {
    for (const [i, has] of ROLES.entries())
      for (const [j, needed] of ROLES.entries()) assert.equal(suffices(has, needed), i >= j, `${has} ${needed}`);
  });
});

describe('a token', () => {
  it('is found by its whole text alone, until it expires', () => {
    const text = newTokenText();
    const tokens = [apiToken(1), apiToken(2, { hash: hashOfToken(text), expiresAt: 100 }), apiToken(3)];
    assert.equal(tokenOf(tokens, text, 99)?.name, 't2');
    assert.equal(tokenOf(tokens, text, 100), undefined);
    assert.equal(tokenOf(tokens, text.slice(0, -1), 99), undefined);
    assert.equal(tokenOf([], text, 99), undefined);
  });

  it('has 256 random bits', () => {
    const texts = Array.from({ length: 100 }, newTokenText);
    assert.equal(new Set(texts).size, 100);
    for (const text of texts) assert.match(text, /^rvl_[0-9a-f]{64}$/);
  });
});

describe('the tokens', () => {
  it('outlast a restart, and nothing but their hashes is kept', async () => {
    const { apiTokens: store } = emptyStore();
    let now = 1000;
    const tokens = await ApiTokens.open({ store, now: () => now });
    const text = await tokens.create('ci', 'operator', 5000);
    assert.ok(!JSON.stringify(await store.read()).includes(text.slice(4)));
    const again = await ApiTokens.open({ store, now: () => now });
    const shown = { name: 'ci', role: 'operator', createdAt: 1000, expiresAt: 5000, expired: false };
    assert.deepEqual(again.find(text), shown);
    now = 5000;
    assert.equal(again.find(text), undefined);
    assert.deepEqual(again.list(), [{ ...shown, expired: true }]);
    await again.revoke('ci');
    assert.deepEqual([again.list(), await store.read()], [[], []]);
  });

  it('refuse names that are taken or unreadable, times that are over, and more than a thousand', async () => {
    const { apiTokens: store } = emptyStore();
    const tokens = await ApiTokens.open({ store, now: () => 1000 });
    await tokens.create('ci', 'viewer', null);
    await assert.rejects(tokens.create('ci', 'admin', null), { code: 'TOKEN_EXISTS' });
    assert.equal(tokens.list()[0]?.role, 'viewer');
    for (const name of ['', '-x', 'a b', 'a\n', 'x'.repeat(65)])
      await assert.rejects(tokens.create(name, 'admin', null), { code: 'REQUEST_INVALID' });
    await assert.rejects(tokens.create('old', 'admin', 1000), { code: 'REQUEST_INVALID' });
    await assert.rejects(tokens.revoke('old'), { code: 'TOKEN_UNKNOWN' });
    for (let i = 1; i < 1000; i++) await tokens.create(`t${i}`, 'viewer', null);
    await assert.rejects(tokens.create('more', 'viewer', null), { code: 'REQUEST_INVALID' });
  });

  it('admit no request while the state cannot be read, and report that', async () => {
    const tokens = await ApiTokens.open({ store: brokenStore().apiTokens, now: () => 1 });
    assert.throws(() => tokens.find(newTokenText()), { code: 'STATE_UNAVAILABLE' });
    await assert.rejects(tokens.create('ci', 'viewer', null), { code: 'STATE_UNAVAILABLE' });
    tokens[Symbol.dispose]();
  });
});
