import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CloudStanding, EarlierStanding } from '../model/cloudStanding.ts';
import { standingHint, standingText } from './standing.ts';

const node = 'node01';
const agent = 'neutron-linuxbridge-agent';
const name = 'node01.rack';

const ROWS: readonly (readonly [CloudStanding | EarlierStanding, words: RegExp, hint: RegExp | undefined])[] = [
  [{ standing: 'in-service', node, enabled: true }, /^in service$/, undefined],
  [{ standing: 'in-service', node, enabled: false }, /^in service, and disabled$/, undefined],
  [
    { standing: 'in-service', node, enabled: false, disabledReason: 'memory is being replaced' },
    /^in service, and disabled \(memory is being replaced\)$/,
    undefined,
  ],
  [
    { standing: 'cloud', node, error: 'CLOUD_REFUSED', message: 'no' },
    /^the cloud cannot be asked: no$/,
    /see cloud: in site\.yaml/,
  ],
  [
    { standing: 'cloud', node, error: 'CLOUD_REFUSED', message: 'no', advice: 'ask again' },
    /^the cloud cannot be asked: no$/,
    /^ask again$/,
  ],
  [{ standing: 'compute-service', node }, /^Nova knows no compute service on node01$/, /transport_url/],
  [{ standing: 'compute-report', node }, /has not reported since this boot began$/, /see its log on the node$/],
  [{ standing: 'compute-down', node }, /reported since this boot began, and no more/, /compare their clocks/],
  [
    { standing: 'compute-disabled-itself', node, cause: 'Connection to libvirt lost: 1' },
    /has disabled itself: Connection to libvirt lost: 1$/,
    /libvirtd/,
  ],
  [
    { standing: 'other-name', node, host: 'localhost', service: 's2' },
    /registered as localhost since this boot began, not as node01$/,
    /openstack compute service delete s2$/,
  ],
  [
    { standing: 'hypervisor', node },
    /^node01 reports, and has no hypervisor yet: it is not mapped to a cell$/,
    /discover_hosts/,
  ],
  [{ standing: 'hypervisor-down', node }, /^the hypervisor of node01 is down$/, /libvirtd/],
  [{ standing: 'provider', node, name }, /^Placement has no resource provider node01\.rack$/, /nova\.conf/],
  [
    { standing: 'provider', node, name, other: { id: 'a05944ea', name } },
    /has the name node01\.rack for another resource provider \(a05944ea\)/,
    /openstack resource provider delete a05944ea$/,
  ],
  [
    { standing: 'provider', node, name, other: { id: 'h3', name: 'node01' } },
    /provider node01, and the hypervisor is called node01\.rack$/,
    /provider delete h3$/,
  ],
  [{ standing: 'network-agent', node, agent }, /^Neutron knows no neutron-linuxbridge-agent on node01$/, /agent's log/],
  [
    { standing: 'network-agent-report', node, agent, reported: true },
    /^neutron-linuxbridge-agent on node01 reported since this boot began, and no more: Neutron calls it dead$/,
    /compare clocks/,
  ],
  [
    { standing: 'network-agent-report', node, agent, reported: false },
    /has not reported since this boot began$/,
    /compare clocks/,
  ],
  [
    { standing: 'compute-service', node, cloudAheadMs: 180_000 },
    /^Nova knows no compute service on node01$/,
    /the cloud's clock is 3 min 0 s ahead of this server's$/,
  ],
  [{ standing: 'unknown', earlier: { words: 'as it was', hint: 'look' } }, /^as it was$/, /^look$/],
];

describe("a cloud's standing in words", () => {
  for (const [standing, words, hint] of ROWS) {
    it(JSON.stringify(standing), () => {
      assert.match(standingText(standing), words);
      if (hint) assert.match(standingHint(standing) ?? '', hint);
      else assert.equal(standingHint(standing), undefined);
    });
  }
});
