import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeSettings, mergeVars, type Settings } from './merge.ts';
import { NO_SETTINGS } from './profiles.ts';

function settings(changes: Partial<Settings>): Settings {
  return { ...NO_SETTINGS, ...changes };
}

describe('merging settings', () => {
  it('lets the later image and loader have their way, and keeps the earlier where the later is silent', () => {
    const merged = mergeSettings([settings({ image: 'a', loader: 'grub' }), settings({ image: 'b' }), settings({})]);
    assert.equal(merged.image, 'b');
    assert.equal(merged.loader, 'grub');
  });

  it('lets image and boot replace each other', () => {
    const image = settings({ image: 'a' });
    const boot = settings({ boot: 'nova' });
    const rows: [Settings[], string | undefined, string | undefined][] = [
      [[image, boot], undefined, 'nova'],
      [[boot, image], 'a', undefined],
      [[image, boot, settings({})], undefined, 'nova'],
      [[settings({})], undefined, undefined],
    ];
    for (const [layers, ...wanted] of rows) {
      const merged = mergeSettings(layers);
      assert.deepEqual([merged.image, merged.boot], wanted);
    }
  });

  it('lets the last limit of settings.sh count, none of them too', () => {
    const merged = mergeSettings([settings({ settingsSeconds: 60 }), settings({ settingsSeconds: 0 }), settings({})]);
    assert.equal(merged.settingsSeconds, 0);
  });

  it('joins lists in order, each word once, where it stood first', () => {
    const merged = mergeSettings([
      settings({ kernelArgs: ['a', 'b'], overlays: ['base'], services: ['x'] }),
      settings({ kernelArgs: ['c', 'a'], overlays: ['nova', 'base'], services: ['y', 'x'] }),
    ]);
    assert.deepEqual(merged.kernelArgs, ['a', 'b', 'c']);
    assert.deepEqual(merged.overlays, ['base', 'nova']);
    assert.deepEqual(merged.services, ['x', 'y']);
  });

  it('merges variables map by map and replaces lists and everything else', () => {
    const earlier = { nova: { cpu: 4, ram: 1.2 }, dns: [1, 2], rack: 'g6', kind: { a: 1 } };
    assert.deepEqual(mergeVars(earlier, { nova: { cpu: 8 }, dns: [3], rack: null, kind: 'text' }), {
      nova: { cpu: 8, ram: 1.2 },
      dns: [3],
      rack: null,
      kind: 'text',
    });
    assert.deepEqual(earlier.nova, { cpu: 4, ram: 1.2 }, 'the earlier variables stay as they are');
  });

  it('does not take a variable called `constructor` for what every object has', () => {
    assert.deepEqual(mergeVars({}, { constructor: { a: 1 }, toString: 'x' }), { constructor: { a: 1 }, toString: 'x' });
  });

  it('replaces options by number', () => {
    const merged = mergeSettings([
      settings({
        options: new Map([
          [42, Uint8Array.of(1)],
          [43, Uint8Array.of(2)],
        ]),
      }),
      settings({ options: new Map([[42, Uint8Array.of(3)]]) }),
    ]);
    assert.deepEqual(
      [...merged.options],
      [
        [42, Uint8Array.of(3)],
        [43, Uint8Array.of(2)],
      ],
    );
  });
});
