import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diagnose } from '../timeline/diagnose.ts';
import { CASES, NOW } from '../timeline/testing/diagnosisFixture.ts';
import { diagnosisText } from './diagnosis.ts';

/** What stands in the summary, and in the advice; `undefined`: there is no advice. */
const TEXTS: { readonly [C in keyof typeof CASES]: readonly [RegExp, RegExp | undefined] } = {
  'an address only': [/gets an address and no boot file/, /^It has no address now\.$/],
  'an address only, that it has': [
    /gets an address and no boot file/,
    /^It has 10\.0\.0\.51 of network rack for 50 min 0 s yet\.$/m,
  ],
  'an address and no boot': [/has its address and has not asked to boot/, /boot from the network card/],
  'an address of a pool instead of its own': [
    /10\.0\.0\.200 of network rack \(pool 10\.0\.0\.200-10\.0\.0\.220\)/,
    /keeps 10\.0\.0\.51 for it/,
  ],
  'image not built': [/has not been built/, /image build bookworm/],
  'sent a menu entry': [/sent all of the menu entry nova/, /console/],
  "sent to a boot file of the operator's": [/was sent to pxelinux\.0, /, /console/],
  'never seen with one': [/No boot request/, /portfast/],
  'never seen': [/No boot request from 52:54/, /portfast/],
  ready: [/is ready; its boot took 1\.0 s/, undefined],
  'ready and in service': [/is ready and in service; its boot took 1\.0 s/, undefined],
  'settings.sh failed': [/step settings failed on node01: exit code 3/, / {2}no disk/],
  'a service failed, and so the boot was not ready': [
    /step service nova-compute failed on node01: nova-compute did not start\.$/,
    /nova-compute is refused by the message queue[\s\S]*The step settings failed: exit code 3\./,
  ],
  'a second DHCP server': [/another DHCP server/, /second DHCP server/],
  'silent after it asked': [/"firmware asks"/, /did not take the offer/],
  'silent after its address': [/"address"/, /firewall/],
  'silent after its loader': [/"loader"/, /loader: pxelinux/],
  'silent after its script': [/"script"/, /did not fetch the whole image/],
  'silent after its initrd': [/"initrd"/, /RAM/],
  'silent while its root comes': [/"root"/, /reveille\.debug/],
  'the queue refuses the password while nova-compute starts': [
    /service nova-compute goes on: still starting after 45 s/,
    /nova-compute is refused by the message queue[\s\S]*rabbitmqctl[\s\S]*ACCESS_REFUSED/,
  ],
  'settings.sh goes on for minutes': [
    /the step settings goes on: still running after 120 s: settings\.sh/,
    /looking for the RAID card/,
  ],
  'a service that failed and reported why': [
    /service nova-compute failed/,
    /cannot talk to libvirt[\s\S]*journalctl -u libvirtd/,
  ],
  'ready, not in service, and its agent reports why': [
    /not in service: Neutron knows no neutron-linuxbridge-agent on node01/,
    /^neutron-linuxbridge-agent finds no interface eth1[\s\S]*See the agent's log/,
  ],
  'a clock that is off': [/is ready/, /Its clock is 3 min 0 s behind the server's/],
  'silent in the agent': [/"agent"/, /journalctl/],
  'ready, with files that are behind and changed': [
    /is ready/,
    /refresh failed, and is tried again: hook: x\.[\s\S]*reveille diff node01[\s\S]*4 files changed there: \/a, \/b, \/c, \.\.\.\.[\s\S]*--restore/,
  ],
};

describe('a diagnosis in words', () => {
  for (const [name, [node, built]] of Object.entries(CASES)) {
    it(name, () => {
      const { summary, advice } = diagnosisText(diagnose(node, built, NOW));
      const [about, what] = TEXTS[name as keyof typeof CASES];
      assert.match(summary, about);
      if (what) assert.match(advice.join('\n'), what);
      else assert.deepEqual(advice, []);
    });
  }
});
