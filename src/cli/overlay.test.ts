import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { ReveilleError } from '../errors.ts';
import { withSiteFolder } from '../site/testing/folderFixture.ts';
import { overlayCommand } from './overlay.ts';
import { run } from './testing/runFixture.ts';

const SITE = {
  'site.yaml': '',
  'overlays/chrony/overlay.yaml': 'about: Our own clocks\n',
  'overlays/chrony/etc/chrony/chrony.conf': 'server clock.example.org\n',
  'overlays/rack/etc/motd': 'hello',
};

describe('reveille overlay', () => {
  test("list has the site's own and those that come with the program, each name once", () =>
    withSiteFolder(SITE, async (site) => {
      const { out } = await run(overlayCommand(), ['list', '--site', site]);
      const rows = out.split('\n').map((line) => line.split(/ {2,}/));
      assert.deepEqual(rows[0], ['OVERLAY', 'FROM', 'ABOUT']);
      assert.deepEqual(
        rows.filter(([name]) => name === 'chrony'),
        [['chrony', 'site', 'Our own clocks']],
      );
      assert.deepEqual(rows.find(([name]) => name === 'rack')?.slice(1), ['site', '-']);
      assert.equal(rows.find(([name]) => name === 'netplan')?.[1], 'shipped');
    }));

  test('show lists the files that it writes, the variables and the hooks, with an example', () =>
    withSiteFolder(SITE, async (site) => {
      const { out } = await run(overlayCommand(), ['show', 'nova-compute', '--site', site]);
      assert.match(out, /^ {2}\/etc\/nova\/nova\.conf +0640 +root:nova$/m);
      assert.match(out, /^ {2}vars\.nova\.password +needed +Password of the service user nova$/m);
      assert.match(out, /^ {2}vars\.nova\.virt_type +"kvm" +Hypervisor; .*\(kvm, qemu\)$/m);
      assert.match(out, /^ {2}! systemctl -q cat nova-compute .*try-restart nova-compute {3}\(\/etc\/nova\/\*\*/m);
      const { profiles } = parse(out.slice(out.indexOf('\nexample\n') + '\nexample\n'.length));
      assert.deepEqual(profiles.mine.overlays, ['nova-compute']);
      assert.deepEqual(Object.keys(profiles.mine.vars.nova), [
        'transport_url',
        'password',
        'placement_password',
        'neutron_password',
      ]);
    }));

  test('show gives programs the same', () =>
    withSiteFolder(SITE, async (site) => {
      const shown = JSON.parse((await run(overlayCommand(), ['show', 'chrony', '--json', '--site', site])).out);
      assert.deepEqual(shown, {
        name: 'chrony',
        shipped: false,
        about: 'Our own clocks',
        files: [
          {
            path: '/etc/chrony/chrony.conf',
            mode: '0644',
            owner: 'root',
            group: 'root',
            from: 'overlays/chrony/etc/chrony/chrony.conf',
          },
        ],
        vars: {},
        hooks: [],
      });
    }));

  test('a name that nothing has is refused with one that is near', () =>
    withSiteFolder(SITE, async (site) => {
      await assert.rejects(run(overlayCommand(), ['show', 'cronny', '--site', site]), (error) => {
        assert(error instanceof ReveilleError);
        assert.equal(error.hint, 'did you mean "chrony"?');
        return true;
      });
    }));
});
