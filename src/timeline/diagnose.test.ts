import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Advice, diagnose, type NodeFinding } from './diagnose.ts';
import { aNode, CASES, NOW } from './testing/diagnosisFixture.ts';

type Codes = readonly [finding: NodeFinding['code'], ...advice: (Advice['code'] | `stopped-after ${string}`)[]];

/** What is found of each node, and what is advised, in that order. */
const FOUND: { readonly [C in keyof typeof CASES]: Codes } = {
  'an address only': ['address-only', 'no-address'],
  'an address only, that it has': ['address-only', 'address-held'],
  'an address and no boot': ['addressed', 'boot-order', 'other-card'],
  'an address of a pool instead of its own': ['addressed', 'own-address-next', 'boot-order', 'other-card'],
  'image not built': ['image-not-built', 'build-image'],
  'sent a menu entry': ['loaded', 'console'],
  "sent to a boot file of the operator's": ['loaded', 'console'],
  'never seen with one': ['unseen', 'power-and-boot-order', 'right-card', 'portfast'],
  'never seen': ['unseen', 'power-and-boot-order', 'right-card', 'portfast'],
  ready: ['ready'],
  'ready and in service': ['ready'],
  'settings.sh failed': ['step-failed', 'printed'],
  'a service failed, and so the boot was not ready': ['step-failed', 'service-trouble', 'printed', 'failed-too'],
  'a second DHCP server': ['other-server', 'other-server'],
  'silent after it asked': ['booting', 'stopped-after asking'],
  'silent after its address': ['booting', 'stopped-after address'],
  'silent after its loader': ['booting', 'stopped-after loader'],
  'silent after its script': ['booting', 'stopped-after script'],
  'silent after its initrd': ['booting', 'stopped-after initrd'],
  'silent while its root comes': ['booting', 'stopped-after root'],
  'the queue refuses the password while nova-compute starts': ['step-goes-on', 'service-trouble', 'printed'],
  'settings.sh goes on for minutes': ['step-goes-on', 'printed'],
  'a service that failed and reported why': ['step-failed', 'service-trouble', 'printed'],
  'ready, not in service, and its agent reports why': ['not-in-service', 'service-trouble', 'cloud-hint'],
  'a clock that is off': ['ready', 'clock'],
  'silent in the agent': ['booting', 'stopped-after agent'],
  'ready, with files that are behind and changed': ['ready', 'refresh-failed', 'files-behind', 'files-drifted'],
};

describe('why a node is not ready', () => {
  for (const [name, [node, built]] of Object.entries(CASES)) {
    it(name, () => {
      const { finding, advice } = diagnose(node, built, NOW);
      const codes = advice.map((one) => (one.code === 'stopped-after' ? `${one.code} ${one.reached}` : one.code));
      assert.deepEqual([finding.code, ...codes], FOUND[name as keyof typeof CASES]);
    });
  }

  it('does not worry about a boot that is getting on', () => {
    const { finding, advice } = diagnose(aNode({ steps: [{ at: 0, code: 'address', status: 'done' }] }), true, 5000);
    assert.deepEqual(finding, { code: 'booting', quietMs: 4000, last: { at: 0, code: 'address', status: 'done' } });
    assert.deepEqual(advice, []);
  });

  it('names the step that failed first, and the others that failed', () => {
    const [node] = CASES['a service failed, and so the boot was not ready'];
    const { finding, advice } = diagnose(node, true, NOW);
    assert(finding.code === 'step-failed' && finding.step.code === 'service');
    assert.equal(finding.step.subject, 'nova-compute');
    const others = advice.flatMap((one) => (one.code === 'failed-too' ? [one.step.code] : []));
    assert.deepEqual(others, ['settings']);
    const [trouble] = advice.filter((one) => one.code === 'service-trouble');
    assert.equal(trouble?.trouble.what, 'queue-password');
  });

  it('gives the values with the codes', () => {
    const [held] = CASES['an address of a pool instead of its own'];
    const { finding, advice } = diagnose(held, true, NOW);
    assert.deepEqual(finding, { code: 'addressed', lease: held.lease, leftMs: 3_000_000 });
    assert.deepEqual(advice[0], { code: 'own-address-next', ip: '10.0.0.51' });
  });
});
