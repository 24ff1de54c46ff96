import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReveilleError } from '../errors.ts';
import { carryOut, type PowerOrder, restartFromNetwork } from './carryOut.ts';
import type { BmcSession, Power } from './session.ts';

/** A machine that follows its BMC after some polls; what it cannot do is refused. */
function machine(power: Power, { slow = 0, cannot = [] }: { slow?: number; cannot?: readonly string[] } = {}) {
  const did: string[] = [];
  let now = power;
  let becomes: { readonly power: Power; looks: number } | undefined;
  const able = (what: string): void => {
    if (cannot.includes(what)) throw new ReveilleError('BMC_UNSUPPORTED', `no ${what}`);
    did.push(what);
  };
  const bmc: BmcSession = {
    async power() {
      if (becomes && becomes.looks-- === 0) {
        now = becomes.power;
        becomes = undefined;
      }
      return now;
    },
    async change(to) {
      able(to);
      becomes = { power: to === 'cycle' ? 'on' : to, looks: slow };
    },
    async bootFromNetworkOnce() {
      able('pxe');
    },
  };
  return { bmc, did };
}

const atOnce = async () => {};

describe('an order to a BMC', () => {
  const rows: readonly [string, PowerOrder, Power, readonly string[], Power][] = [
    ['is asked for nothing but the power', 'status', 'off', [], 'off'],
    ['starts a machine', 'on', 'off', ['on'], 'on'],
    ['leaves one that is on', 'on', 'on', [], 'on'],
    ['stops a machine', 'off', 'on', ['off'], 'off'],
    ['leaves one that is off', 'off', 'off', [], 'off'],
    ['cycles a machine', 'cycle', 'on', ['cycle'], 'on'],
    ['cycles one that is off by starting it', 'cycle', 'off', ['on'], 'on'],
    ['chooses the network and leaves the power', 'pxe', 'off', ['pxe'], 'off'],
  ];
  for (const [name, order, power, did, ends] of rows) {
    it(name, async () => {
      const one = machine(power, { slow: 2 });
      assert.equal(await carryOut(one.bmc, order, atOnce), ends);
      assert.deepEqual(one.did, did);
    });
  }

  it('cycles by off and on where the BMC cannot', async () => {
    const { bmc, did } = machine('on', { cannot: ['cycle'] });
    assert.equal(await carryOut(bmc, 'cycle', atOnce), 'on');
    assert.deepEqual(did, ['off', 'on']);
  });

  it('says so when the machine does not follow', async () => {
    const { bmc } = machine('off', { slow: 1e9 });
    await assert.rejects(carryOut(bmc, 'on', atOnce), {
      code: 'BMC_REFUSED',
      message: 'it took the order, and the machine is not on after 60 s',
    });
  });

  it('restarts a machine from the network, or by the order of its firmware', async () => {
    const able = machine('on');
    await restartFromNetwork(able.bmc, atOnce);
    assert.deepEqual(able.did, ['pxe', 'cycle']);
    const unable = machine('off', { cannot: ['pxe'] });
    await restartFromNetwork(unable.bmc, atOnce);
    assert.deepEqual(unable.did, ['on']);
  });
});
