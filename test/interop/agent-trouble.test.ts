import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Flavour, killAll } from './agent.rig.ts';
import { change, KERNEL, scratch, stage, until } from './agent.stage.ts';

const FLAVOURS: readonly Flavour[] = ['dash', 'busybox'];
const AGENT = join(import.meta.dirname, '../../src/node/agent');

/** A card as sysfs shows it. */
type Card = {
  readonly id: readonly [vendor: string, device: string];
  readonly class?: string;
  readonly driver?: string;
  readonly net?: boolean;
};

/** What a shell says of these cards, with a kernel that has these aliases. */
function said(shell: readonly string[], release: string, aliases: string, cards: readonly Card[]): readonly string[] {
  const folder = mkdtempSync(join(scratch, 'sys-'));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  write(`modules/${release}/modules.alias`, aliases);
  for (const [at, { id, class: kind = '0x020000', driver, net }] of cards.entries()) {
    const path = `sys/bus/pci/devices/0000:00:0${at}.0`;
    const [vendor, device] = id;
    write(`${path}/vendor`, `0x${vendor}\n`);
    write(`${path}/device`, `0x${device}\n`);
    write(`${path}/class`, `${kind}\n`);
    const numbers = `v0000${vendor}d0000${device}`.toUpperCase().replace('V', 'v').replace('D', 'd');
    write(`${path}/modalias`, `pci:${numbers}sv00001AF4sd00001100bc02sc00i00\n`);
    if (driver !== undefined) symlinkSync(join(folder, 'drivers', driver), join(folder, path, 'driver'));
    if (driver !== undefined) write(`drivers/${driver}/x`, '');
    if (net) mkdirSync(join(folder, path, 'net'));
  }
  const script = `LIB=${AGENT} SYS=${folder}/sys MODULES=${folder}/modules
. ${AGENT}/talk.sh
uname() { echo ${release}; }
driverless_cards
`;
  const [program = '', ...args] = shell;
  const text = execFileSync(program, [...args, '-c', script], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
}

for (const shell of [['dash'], ['busybox', 'sh']]) {
  test(`${shell[0]}: a card that cannot be used is named, with its module and package`, () => {
    const ALIAS = 'alias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000\n';
    const cloud = '6.1.0-1-cloud-amd64';
    const rows: readonly (readonly [string, string, Card, RegExp | undefined])[] = [
      [
        cloud,
        '',
        { id: ['8086', '100e'] },
        /^the network card 8086:100e at 0000:00:00\.0 has no driver: kernel 6\.1\.0-1-cloud-amd64 of the image has none \(module e1000\); this kernel is for virtual machines; take the package linux-image-amd64/,
      ],
      ['6.1', ALIAS, { id: ['8086', '100e'] }, /the image has the module e1000, which nothing loaded.*udev/],
      ['6.1', ALIAS, { id: ['14e4', '164e'] }, /\(module bnx2x\).*linux-image-amd64.*package firmware-bnx2x/],
      ['6.1', '', { id: ['abcd', '0001'] }, /abcd:0001 .* of the image has none; take a kernel that has it/],
      [
        '6.1',
        '',
        { id: ['10ec', '8168'], class: '0x020000', driver: 'r8169' },
        /has the driver r8169, which made no interface.*package firmware-realtek/,
      ],
      ['6.1', '', { id: ['8086', '100e'], driver: 'e1000', net: true }, undefined],
      ['6.1', '', { id: ['8086', '2922'], class: '0x010601' }, undefined],
    ];
    for (const [release, aliases, card, words] of rows) {
      const lines = said(shell, release, aliases, [card]);
      if (words === undefined) assert.deepEqual(lines, [], card.id.join(':'));
      else assert.match(lines.join('\n'), words, card.id.join(':'));
      assert.ok(lines.length <= 1);
    }
  });
}

for (const flavour of FLAVOURS) {
  test(`${flavour}: no room in /run is said on the console and to the server; with room the node boots`, async (t) => {
    const prepare = `mount -t tmpfs -o size=2m none run; (dd if=/dev/zero of=run/full bs=4k || :) 2>/dev/null
      (until [ -e root/mended ]; do sleep 0.1; done; rm run/full) >/dev/null 2>&1 </dev/null &`;
    const { machine, server } = await stage(t, flavour, {}, { prepare });
    change(machine, 'lib/reveille/talk.sh', ['STILL_SECONDS=60', 'STILL_SECONDS=1']);
    const booted = machine.start(KERNEL);
    await until(() => server.event('agent', 'failed') !== undefined);
    assert.match(
      server.event('agent', 'failed')?.detail ?? '',
      /^no room in \/run\/reveille \(its file system has 2 MB\): give the machine more RAM/,
    );
    writeFileSync(join(machine.root, 'root/mended'), '');
    const { code, printed } = await booted;
    assert.equal(code, 0, printed);
    assert.match(printed, /reveille: FAILED: no room in \/run\/reveille/);
    assert.ok(server.event('ready', 'done'));
  });

  test(`${flavour}: /run that fills up while the node boots is reported, with the token that the node has by then`, async (t) => {
    const { machine, server } = await stage(
      t,
      flavour,
      { 'nodes/node01/settings.sh': '#!/bin/sh\ndd if=/dev/zero of=/run/full bs=4k 2>/dev/null\nexit 1\n' },
      { prepare: 'mount -t tmpfs -o size=2m none run' },
    );
    const ended = machine.start(KERNEL);
    await until(() => server.event('settings', 'failed') !== undefined);
    assert.match(
      server.event('settings', 'failed')?.detail ?? '',
      /^settings\.sh ended with exit code 1; no room in \/run\/reveille \(/,
    );
    machine.stop();
    killAll();
    await ended;
  });

  test(`${flavour}: a server that does not answer, and a card that is not there, are said with what to do`, async (t) => {
    const { machine } = await stage(t, flavour, {}, { listen: false });
    change(machine, 'lib/reveille/talk.sh', ['LONGEST_PAUSE=30', 'LONGEST_PAUSE=2']);
    let ended = machine.start(KERNEL);
    await delay(16_000);
    machine.stop();
    killAll();
    const silent = (await ended).printed;
    assert.match(silent, /inventory: no answer from http:\/\/10\.0\.0\.2:8080 for 1\d s: does the server run/);
    assert.equal(silent.match(/does the server run/g)?.length, 1, 'once a minute');

    ended = machine.start(KERNEL.replace('00-00-51', '00-00-99'));
    await delay(8000);
    machine.stop();
    killAll();
    assert.match((await ended).printed, /no network card 52:54:00:00:00:99 after 5 s; there are/);
  });
}

test('an image without a program that fetches says so, by the package', async (t) => {
  const { machine } = await stage(t, 'dash', {}, { without: ['curl', 'wget', 'busybox'] });
  change(machine, 'lib/reveille/talk.sh', ['STILL_SECONDS=60', 'STILL_SECONDS=1']);
  const ended = machine.start(KERNEL);
  await delay(3000);
  machine.stop();
  killAll();
  const words =
    /FAILED: the image lacks what the agent needs: a program that fetches: curl, wget or busybox \(package curl\)/g;
  const { printed } = await ended;
  assert.ok((printed.match(words)?.length ?? 0) >= 2, printed);
});
