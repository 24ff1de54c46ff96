import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ip, menuFixture, nodeFixture, siteFixture } from '../site/fixture.ts';
import type { BootFrom } from '../site/model.ts';
import type { Boot, BootStep } from './boots.ts';
import { type NodeState, statusOf } from './status.ts';

const step = (name: string, more: Partial<BootStep> = {}): BootStep => ({ at: 0, name, status: 'done', ...more });
const kernel = step('file', { file: 'files/nova/vmlinuz' });
const initrd = step('file', { file: 'nova/initrd.img' });

describe('the state of a node that boots a menu entry', () => {
  const entry = { name: 'nova', title: 'Nova', kernel: 'nova/vmlinuz', initrd: ['nova/initrd.img'], args: [] };
  const node = nodeFixture({ boot: 'nova' }, []);
  const site = siteFixture({ nodes: new Map([[node.name, node]]), menu: menuFixture({ entries: [entry] }) });

  const rows: [string, readonly BootStep[] | undefined, NodeState][] = [
    ['was not seen', undefined, 'unseen'],
    ['has its kernel only', [kernel], 'booting'],
    ['has lost the initrd on the way', [kernel, { ...initrd, status: 'failed' }], 'booting'],
    ['has kernel and initrd', [kernel, initrd], 'loaded'],
    ['has an agent that reports', [kernel, initrd, step('agent')], 'booting'],
  ];
  for (const [name, steps, state] of rows) {
    it(`${name}: ${state}`, () => {
      const boot: Boot | undefined = steps && { startedAt: 0, updatedAt: 1, state: 'booting', steps };
      const timeline = { boots: () => (boot ? [boot] : []) };
      const [status] = statusOf(
        site,
        timeline,
        [],
        () => undefined,
        () => undefined,
      ).nodes;
      assert.equal(status?.state, state);
      assert.equal(status?.entry, 'nova');
    });
  }
});

describe("the state of a node that boots the operator's own boot file", () => {
  const loader = step('loader', { file: 'pxelinux.0' });
  const rows: [string, BootFrom, readonly BootStep[] | undefined, NodeState][] = [
    ['was not seen', { bootFile: 'pxelinux.0' }, undefined, 'unseen'],
    ['has not fetched it', { bootFile: 'pxelinux.0' }, [step('address')], 'booting'],
    ['has fetched it', { bootFile: 'pxelinux.0' }, [loader], 'loaded'],
    [
      'fetches it from this server',
      { bootFile: 'pxelinux.0', nextServer: ip('10.0.0.2') },
      [step('address')],
      'booting',
    ],
    ['fetches it from another server', { bootFile: 'a', nextServer: ip('10.0.0.9') }, [step('address')], 'loaded'],
  ];
  for (const [name, from, steps, state] of rows) {
    it(`${name}: ${state}`, () => {
      const node = nodeFixture(from, []);
      const site = siteFixture({ nodes: new Map([[node.name, node]]) });
      const boot: Boot | undefined = steps && { startedAt: 0, updatedAt: 1, state: 'booting', steps };
      const timeline = { boots: () => (boot ? [boot] : []) };
      const [status] = statusOf(
        site,
        timeline,
        [],
        () => ({ ip: ip('10.0.0.2'), httpPort: 8080 }),
        () => undefined,
      ).nodes;
      assert.equal(status?.state, state);
    });
  }
});
