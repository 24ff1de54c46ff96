import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { menuFixture, nodeFixture, siteFixture } from '../site/fixture.ts';
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
