import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import type { Site } from '../site/site.ts';
import { brokenStore, emptyStore } from '../state/testing/fakes.ts';
import { type Credentials, openCredentials } from './credentials.ts';
import { removeLeftovers, signKey } from './openssl.ts';
import { siteWith, withSite } from './testing/renderFixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'reveille-credentials-'));
after(() => rmSync(scratch, { recursive: true }));

const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 23);

test('keys that lay there when a server was killed while it signed are removed, and nothing else', async () => {
  const folder = mkdtempSync(join(scratch, 'state-'));
  mkdirSync(join(folder, 'signing-Ab12'));
  writeFileSync(join(folder, 'signing-Ab12/authority-key'), 'secret');
  writeFileSync(join(folder, 'reveille.db'), 'state');
  await removeLeftovers(folder);
  assert.deepEqual(readdirSync(folder), ['reveille.db']);
  rmSync(folder, { recursive: true });
});

/** A server over `store` whose clock is at `at`, and its answer for a node of `site`. */
function server(store = emptyStore().certificates, clock = { at: START }) {
  const credentialsOf = openCredentials(store, { scratch, now: () => clock.at });
  return (site: Site, name = 'node01'): Promise<Credentials> => {
    const node = site.nodes.get(name);
    assert(node);
    return credentialsOf(site, node);
  };
}

const SITE = siteWith([], { net: { vlans: { move: { id: 5, subnet: '10.1.0.0/24' } } } });
const ELSEWHERE = siteWith([], {});

describe('credentials', () => {
  test('prove a node by every name and address, to clients that trust the site’s authority', async () => {
    await withSite(SITE, async (site) => {
      const { ca, certificate, key } = await server()(site);
      const [own, authority] = [new X509Certificate(certificate), new X509Certificate(ca)];
      assert(own.verify(authority.publicKey) && own.checkIssued(authority));
      assert(own.checkPrivateKey(createPrivateKey(key)));
      for (const name of ['node01', 'node01.rack.example.org']) assert.equal(own.checkHost(name), name);
      for (const ip of ['10.0.0.51', '10.1.0.51']) assert.equal(own.checkIP(ip), ip);
      assert.equal(own.checkHost('node02'), undefined);
      assert.equal(own.subject, 'O=rack\nCN=node01');
      assert.deepEqual([own.ca, authority.ca], [false, true]);
      assert.deepEqual(own.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'], 'for servers and for clients');
      assert(own.validFromDate.getTime() < START, 'a clock that is behind does not matter');
      assert(own.validToDate.getTime() > START + 2 * 365 * DAY);
      assert.deepEqual(readdirSync(scratch), [], 'no private file stays');
    });
  });

  test('are made once for a node, with any number of requests at once or later; no two nodes share a key', async () => {
    await withSite(SITE, async (site) => {
      const store = emptyStore().certificates;
      const ask = server(store);
      const [one, same, other] = await Promise.all([ask(site), ask(site), ask(site, 'node02')]);
      assert.deepEqual(same, one);
      assert.deepEqual(await server(store)(site), one, 'another server over the same state');
      assert.equal(other.ca, one.ca);
      assert.notEqual(other.key, one.key);
      assert.equal((await store.read(''))?.certificate, one.ca);
    });
  });

  test('are renewed with a third of their life left, and when the node is reached by other names', async () => {
    const store = emptyStore().certificates;
    const clock = { at: START };
    const ask = server(store, clock);
    const first = await withSite(SITE, (site) => ask(site));
    clock.at = START + 1.9 * 365 * DAY;
    assert.deepEqual(await withSite(SITE, (site) => ask(site)), first);
    clock.at = START + 2.1 * 365 * DAY;
    const second = await withSite(SITE, (site) => ask(site));
    assert.notEqual(second.certificate, first.certificate);
    assert.equal(second.ca, first.ca);
    const third = await withSite(ELSEWHERE, (site) => ask(site));
    assert.deepEqual(new X509Certificate(third.certificate).checkIP('10.1.0.51'), undefined);
    assert.deepEqual(await withSite(ELSEWHERE, (site) => server(store, clock)(site)), third);
  });

  test('never outlive the authority', async () => {
    const clock = { at: START };
    const ask = server(emptyStore().certificates, clock);
    await withSite(SITE, async (site) => {
      const { ca } = await ask(site);
      clock.at = START + 19 * 365 * DAY;
      const late = await ask(site);
      assert.equal(new X509Certificate(late.certificate).validTo, new X509Certificate(ca).validTo);
    });
  });

  test('of another authority are not kept', async () => {
    const store = emptyStore().certificates;
    await withSite(SITE, async (site) => {
      const foreign = await server()(site);
      await store.keep('node01', foreign, undefined);
      const own = await server(store)(site);
      assert.notEqual(own.certificate, foreign.certificate);
      assert(new X509Certificate(own.certificate).verify(new X509Certificate(own.ca).publicKey));
    });
  });

  test('are refused while the state is down, and not made up', async () => {
    await withSite(SITE, (site) =>
      assert.rejects(
        server(brokenStore().certificates)(site),
        (error) => error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE',
      ),
    );
  });
});

test('a name that openssl would read as more than a name is refused', async () => {
  const life = { from: START, to: START + DAY };
  for (const dns of ['a,DNS:b', 'a\n[ca]', '', '*.example.org', '$HOME']) {
    const subject = { commonName: 'a', organization: 'b', dns: [dns], ips: [] };
    await assert.rejects(signKey(subject, life, undefined, scratch), /cannot stand in a certificate/);
  }
  assert.deepEqual(readdirSync(scratch), []);
});
