import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { firmwareNames } from './contents.ts';
import { chooseModules, moduleName } from './modules.ts';

const NET = 'kernel/drivers/net';
const LISTS = {
  dep: [
    `${NET}/virtio_net.ko: ${NET}/net_failover.ko kernel/net/core/failover.ko kernel/drivers/virtio/virtio.ko`,
    `${NET}/net_failover.ko: kernel/net/core/failover.ko`,
    'kernel/net/core/failover.ko:',
    'kernel/drivers/virtio/virtio.ko:',
    `${NET}/r8169.ko.xz: kernel/drivers/net/mdio.ko.xz`,
    'kernel/drivers/net/mdio.ko.xz:',
    'kernel/drivers/net/phy/realtek.ko.xz:',
    'kernel/drivers/net/bnx2x.ko: kernel/lib/libcrc32c.ko',
    'kernel/lib/libcrc32c.ko:',
    'kernel/crypto/crc32c_generic.ko:',
    'kernel/a.ko: kernel/b.ko',
    'kernel/b.ko: kernel/a.ko',
    'kernel/sound/snd.ko:',
    '',
  ].join('\n'),
  builtin: 'kernel/net/packet/af_packet.ko\n',
  softdep: '# Soft dependencies\nsoftdep r8169 pre: realtek post: nothing\nsoftdep libcrc32c pre: crc32c\n',
  alias: [
    '# Aliases extracted from modules themselves.',
    'alias pci:v000010ECd00008168sv*sd*bc*sc*i* r8169',
    'alias virtio:d00000001v* virtio_net',
    'alias crc32c crc32c_generic',
    'alias snd-card-* snd',
    '',
  ].join('\n'),
};

describe('the modules of the first initrd', () => {
  const rows: readonly (readonly [string, readonly string[], readonly string[], readonly string[]])[] = [
    [
      'come with what they need',
      ['virtio-net'],
      [
        'kernel/drivers/net/net_failover.ko',
        'kernel/drivers/net/virtio_net.ko',
        'kernel/drivers/virtio/virtio.ko',
        'kernel/net/core/failover.ko',
      ],
      [],
    ],
    [
      'come with what softdep lists before them',
      ['r8169'],
      ['kernel/drivers/net/mdio.ko.xz', 'kernel/drivers/net/phy/realtek.ko.xz', 'kernel/drivers/net/r8169.ko.xz'],
      [],
    ],
    [
      'come with what softdep names by an alias, for their dependencies too',
      ['bnx2x'],
      ['kernel/crypto/crc32c_generic.ko', 'kernel/drivers/net/bnx2x.ko', 'kernel/lib/libcrc32c.ko'],
      [],
    ],
    ['do not loop', ['a'], ['kernel/a.ko', 'kernel/b.ko'], []],
    ['are not missing where they are built in', ['af_packet'], [], []],
    ['are missing where the kernel does not know them', ['mlx5_core'], [], ['mlx5_core']],
  ];
  for (const [what, wanted, files, missing] of rows) {
    it(what, () => {
      const chosen = chooseModules(LISTS, wanted);
      assert.deepEqual(chosen.files, files);
      assert.deepEqual(chosen.missing, missing);
    });
  }

  it('have lists that name them without compression, what is needed first being last', () => {
    const { dep, alias } = chooseModules(LISTS, ['r8169', 'bnx2x']);
    assert.match(
      dep,
      /^kernel\/drivers\/net\/r8169\.ko: kernel\/drivers\/net\/mdio\.ko kernel\/drivers\/net\/phy\/realtek\.ko$/m,
    );
    assert.match(
      dep,
      /^kernel\/drivers\/net\/bnx2x\.ko: kernel\/lib\/libcrc32c\.ko kernel\/crypto\/crc32c_generic\.ko$/m,
    );
    assert.equal(alias, 'alias pci:v000010ECd00008168sv*sd*bc*sc*i* r8169\nalias crc32c crc32c_generic\n');
  });

  it('never throws at lists of any kind, and chooses each file once, with all it needs', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const line = fc
      .tuple(name, fc.array(name, { maxLength: 4 }))
      .map(([of, needs]) => `k/${of}.ko: ${needs.map((need) => `k/${need}.ko`).join(' ')}`);
    const soft = fc.tuple(name, name).map(([of, need]) => `softdep ${of} pre: ${need}`);
    const lists = fc.record({
      dep: fc.array(fc.oneof(line, fc.string())).map((lines) => lines.join('\n')),
      builtin: fc.string(),
      softdep: fc.array(fc.oneof(soft, fc.string())).map((lines) => lines.join('\n')),
      alias: fc.string(),
    });
    fc.assert(
      fc.property(lists, fc.array(name), (any, wanted) => {
        const { files, dep } = chooseModules(any, wanted);
        assert.equal(new Set(files).size, files.length);
        const has = new Set(files.map(moduleName));
        for (const row of dep.split('\n').filter(Boolean)) {
          for (const need of row
            .slice(row.indexOf(':') + 1)
            .split(' ')
            .filter(Boolean))
            assert.ok(has.has(moduleName(need)));
        }
      }),
    );
  });
});

describe('the firmware of a module', () => {
  it('is what its .modinfo names, and never climbs out of its folder', () => {
    const words = [
      'license=GPL',
      'firmware=bnx2/a.fw',
      'firmware=../../etc/shadow',
      'firmware=tg3/*',
      'firmware=tg3.bin',
    ];
    const module = Buffer.concat([Buffer.from([0x7f, 0xff]), Buffer.from(`ELF\0${words.join('\0')}\0`)]);
    assert.deepEqual(firmwareNames(module), ['bnx2/a.fw', 'tg3.bin']);
  });
});
