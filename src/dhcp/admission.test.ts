import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Refusal } from '../model/refusal.ts';
import { ip } from '../site/testing/fixture.ts';
import { Admission, type Newcomer } from './admission.ts';
import { type SwitchPort, switchPortOf } from './switchPort.ts';
import { machine, networkOf, requestOf, type Said, siteOf } from './testing/fixture.ts';

const site = siteOf([]);
const BR0 = [networkOf('lan', '10.0.0.0/16', [['10.0.1.0-10.0.9.255', 'any']])];
const BR1 = [networkOf('other', '10.1.0.0/16', [], { interface: 'br1' })];
const BEHIND = [networkOf('big', '10.2.0.0/16', [['10.2.0.10-10.2.255.255', 'any']], { interface: 'br2' })];
const port = (key: string): SwitchPort => ({ kind: 'port', key });
const relay: SwitchPort = { kind: 'relay', key: '10.0.0.9' };
const address = (n: number): Ipv4 => ((ip('10.0.1.0') as number) + n) as Ipv4;

let admission: Admission;
const configure = (dhcp: Partial<typeof site.dhcp>) =>
  admission.configure({ ...site, dhcp: { ...site.dhcp, ...dhcp } });
beforeEach(() => {
  admission = new Admission();
  configure({ strangersPerPort: 3 });
});

function whyNot(who: Newcomer, now: number): Refusal | undefined {
  admission.expire(now);
  return admission.whyNot(who, now);
}

/** Lets machines in one after the other, each for an hour; says how many. */
function letIn(at: SwitchPort | undefined, wire: Newcomer['wire'], most: number, now: number, from = 0): number {
  for (let n = 0; n < most; n++) {
    if (whyNot({ port: at, wire }, now) !== undefined) return n;
    admission.take({ port: at, wire, isNew: true }, address(from + n), now + 3_600_000, now);
  }
  return most;
}

describe('machines that the site does not list', () => {
  test('have so many addresses at one switch port, and others at another', () => {
    assert.equal(letIn(port('a'), BR0, 100, 0), 3);
    assert.deepEqual(whyNot({ port: port('a'), wire: BR0 }, 0), { code: 'switch-port-full', most: 3 });
    assert.equal(letIn(port('b'), BR0, 100, 0, 10), 3);
  });

  test('find room there again when an address expired or was given back, and not when one is offered anew', () => {
    letIn(port('a'), BR0, 3, 0);
    admission.take({ port: port('a'), wire: BR0, isNew: false }, address(0), 30_000, 0);
    assert.notEqual(whyNot({ port: port('a'), wire: BR0 }, 31_000), undefined, 'an offer ends no lease');
    admission.drop(address(1));
    assert.equal(whyNot({ port: port('a'), wire: BR0 }, 31_000), undefined);
    letIn(port('a'), BR0, 1, 31_000, 5);
    assert.notEqual(whyNot({ port: port('a'), wire: BR0 }, 3_599_000), undefined);
    assert.equal(whyNot({ port: port('a'), wire: BR0 }, 3_600_000), undefined);
  });

  test('take their address along to another port', () => {
    letIn(port('a'), BR0, 3, 0);
    admission.hold(port('b'), address(0), 3_600_000);
    assert.equal(whyNot({ port: port('a'), wire: BR0 }, 0), undefined);
    assert.equal(letIn(port('b'), BR0, 100, 0, 10), 2);
  });

  test('behind a relay that names no port have what the pools hold, unless the site says less', () => {
    assert.equal(letIn(relay, BEHIND, 1000, 0), 1000);
    configure({ strangersPerRelay: 1000 });
    assert.deepEqual(whyNot({ port: relay, wire: BEHIND }, 0), {
      code: 'relay-full',
      relay: '10.0.0.9',
      most: 1000,
    });
  });

  test('are so many new ones a second on each wire, of which five seconds may come at once', () => {
    configure({ strangersPerSecond: 10 });
    assert.equal(letIn(undefined, BR0, 1000, 0), 50);
    assert.deepEqual(whyNot({ port: undefined, wire: BR0 }, 0), { code: 'strangers-limited', rate: 10 });
    assert.equal(letIn(undefined, BR1, 1000, 0), 50, 'another wire does not wait');
    assert.equal(letIn(undefined, BR0, 1000, 1000), 10);
    admission.take({ port: undefined, wire: BR0, isNew: false }, address(0), 5000, 1500);
    assert.equal(letIn(undefined, BR0, 1000, 2000), 10, 'one that has an address already does not count');
    assert.equal(letIn(undefined, BR0, 1000, 3_600_000), 50);
  });

  test('are 200 new ones a second where the site does not say, or an eighth of large pools', () => {
    assert.equal(letIn(undefined, BR1, 5000, 0), 1000);
    assert.equal(letIn(undefined, BR0, 5000, 0), 5 * ((9 * 256) / 8));
    assert.equal(letIn(undefined, BEHIND, 50_000, 0), 5 * Math.floor((65536 - 10) / 8));
  });
});

describe('where a machine is plugged in', () => {
  const option82 = (...subOptions: [code: number, text: string][]): Said => [
    82,
    Buffer.concat(subOptions.map(([code, text]) => Buffer.of(code, text.length, ...Buffer.from(text)))),
  ];
  const rows: [string, Said[], giaddr: string, SwitchPort | undefined][] = [
    ['says nobody', [], '0.0.0.0', undefined],
    ['says the relay', [], '10.0.0.9', relay],
    ['says the relay alone where it names the circuit alone', [option82([1, 'eth1'])], '10.0.0.9', relay],
    ['or the remote end alone', [option82([2, 'sw7'])], '10.0.0.9', relay],
    ['says a switch', [option82([1, 'p1'], [2, 's7'])], '0.0.0.0', port('7337 7031')],
    ['says a relay, in any order', [option82([2, 's7'], [1, 'p1'])], '10.0.0.9', port('7337 7031')],
    ['is not said by an option that is cut off', [[82, Buffer.from([1, 9, 1])]], '0.0.0.0', undefined],
  ];
  for (const [what, said, giaddr, expected] of rows) {
    test(what, () => {
      assert.deepEqual(switchPortOf(requestOf('discover', machine(1), said, { giaddr: ip(giaddr) })), expected);
    });
  }
});
