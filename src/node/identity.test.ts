import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import { brokenStore, emptyStore } from '../state/testing/fakes.ts';
import { Identities, type Identity, masked, SAMPLE_IDENTITY } from './identity.ts';
import type { IdentityStore } from './identityStore.ts';

const RSA = { rsa: true };
const keysOf = ({ sshHostKeys, novaKey }: Identity) => [...Object.values(sshHostKeys), ...(novaKey ? [novaKey] : [])];
const values = (identity: Identity) => {
  const { sshHostKeys: _, novaKey: __, nvmeHostNqn: ___, ...plain } = identity;
  return [...Object.values(plain), ...keysOf(identity).flatMap((key) => [key.public, key.private])];
};

describe('an identity', () => {
  test('is made once and stays, with any number of requests at once or later', async () => {
    const store = emptyStore().identities;
    const identities = new Identities(store);
    const asked = await Promise.all([
      identities.of('node01'),
      identities.of('node01', RSA),
      identities.of('node01', RSA),
    ]);
    const whole = await identities.of('node01', RSA);
    assert.deepEqual(asked[1], whole);
    assert.deepEqual(asked[2], whole);
    const { rsa: _, ...quick } = whole.sshHostKeys;
    assert.deepEqual(asked[0], { ...whole, sshHostKeys: quick });
    assert.deepEqual(await new Identities(store).of('node01', RSA), whole, 'another server over the same state');
  });

  test('has parts in the forms that their readers want', async () => {
    const identity = await new Identities(emptyStore().identities).of('node01');
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    assert.match(identity.machineId, /^[0-9a-f]{32}$/);
    for (const one of [identity.libvirtUuid, identity.computeId, identity.ovsSystemId, identity.nvmeHostId])
      assert.match(one, uuid);
    assert.match(identity.iscsiInitiator, /^iqn\.1993-08\.org\.debian:01:[0-9a-f]{12}$/);
    assert.equal(identity.nvmeHostNqn, `nqn.2014-08.org.nvmexpress:uuid:${identity.nvmeHostId}`);
    assert.match(identity.sshHostKeys.ed25519.public, /^ssh-ed25519 AAAA\S+ root@node01$/);
    assert.match(identity.sshHostKeys.ecdsa.public, /^ecdsa-sha2-nistp256 AAAA\S+ root@node01$/);
    assert.equal(identity.sshHostKeys.rsa, undefined);
    assert.equal(identity.novaKey, undefined);
    const nova = await new Identities(emptyStore().identities).of('node01', { nova: true });
    assert.match(nova.novaKey?.public ?? '', /^ssh-ed25519 AAAA\S+ nova@node01$/);
  });

  test('keeps what it is when more of it is asked for later', async () => {
    const store = emptyStore().identities;
    const first = await new Identities(store).of('node01');
    const more = await new Identities(store).of('node01', { nova: true });
    assert.deepEqual({ ...first, novaKey: more.novaKey }, more);
    assert.deepEqual(await new Identities(store).of('node01', { nova: true }), more);
    assert.deepEqual(await new Identities(store).of('node01'), more);
  });

  test('has a machine-id that can be made before all else, and is made once', async () => {
    const store = emptyStore().identities;
    const ahead = await Promise.all([1, 2, 3].map(() => new Identities(store).machineIdOf('node01')));
    assert.match(ahead[0] ?? '', /^[0-9a-f]{32}$/);
    assert.equal(new Set(ahead).size, 1);
    assert.deepEqual([...(await store.read('node01')).keys()], ['machine-id']);
    assert.equal((await new Identities(store).of('node01')).machineId, ahead[0]);
    assert.equal(await new Identities(store).machineIdOf('node01'), ahead[0]);
  });

  test('is no other node’s', async () => {
    const identities = new Identities(emptyStore().identities);
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => identities.of(`node${i}`, { nova: true })));
    const each = all.flatMap(values);
    assert.equal(new Set(each).size, each.length);
  });

  test('is made anew where another node has a part of it by chance', async () => {
    const store = emptyStore().identities;
    const first = await new Identities(store).of('node01');
    let chance = true;
    const unlucky: IdentityStore = {
      read: store.read,
      keep: (node, parts) => {
        const same = chance ? new Map([...parts, ['machine-id', first.machineId]]) : parts;
        chance = false;
        return store.keep(node, same);
      },
    };
    const second = await new Identities(unlucky).of('node02');
    assert.match(second.machineId, /^[0-9a-f]{32}$/);
    assert.notEqual(second.machineId, first.machineId);
  });

  test('is refused while the state is down, and not made up', async () => {
    const identities = new Identities(brokenStore().identities);
    for (const want of [{ rsa: false }, RSA]) {
      await assert.rejects(
        identities.of('node01', want),
        (error) => error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE',
      );
    }
  });

  test('is shown without what is private', async () => {
    const own = await new Identities(emptyStore().identities).of('node01', { rsa: true, nova: true });
    const identity = { ...own, tls: { ca: 'an authority', certificate: 'a certificate', key: 'a secret key' } };
    const shown = JSON.stringify(masked(identity));
    assert(!shown.includes('a secret key') && shown.includes('a certificate'));
    assert.equal(keysOf(identity).length, 4);
    for (const { private: secret } of keysOf(identity)) {
      assert.match(secret, /^-----BEGIN OPENSSH PRIVATE KEY-----\n[\s\S]+\n-----END OPENSSH PRIVATE KEY-----\n$/);
      assert(!shown.includes(JSON.stringify(secret).slice(1, -1)));
    }
    assert.match(shown, /\(kept private\)/);
    assert.match(shown, new RegExp(identity.machineId));
    assert.deepEqual(masked(SAMPLE_IDENTITY), SAMPLE_IDENTITY);
  });
});
