import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildImage } from '../../src/image/build.ts';
import { defaultCache } from '../../src/image/cache.ts';
import { openShelf, type ShelvedImage } from '../../src/image/shelf.ts';
import { agentFiles } from '../../src/node/agent/files.ts';
import { loadSite } from '../../src/site/load.ts';

// Builds real roots with mmdebstrap from the machine's own mirrors, and boots what comes out: a minute or two.
if (process.env.REVEILLE_ISOLATED === '1') throw new Error('run this outside of test/isolated: it fetches packages');

const folder = mkdtempSync(join(tmpdir(), 'image-lab-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SITE = `site: lab
networks:
  net: { interface: lo, subnet: 10.0.0.0/24, server: 10.0.0.2 }
`;

// Accounts, byte-compiled Python and debconf are what usually differs between builds.
const WHOLE = `from: { debian: bookworm }
packages: [linux-image-cloud-amd64, systemd-sysv, udev, kmod, iproute2, curl, python3-minimal, adduser, openssh-server]
remove: [/usr/lib/modules/*/kernel]
keep: [/usr/lib/modules/*/kernel/drivers/net/virtio_net.*]
run:
  - useradd --create-home op && echo 'op:$6$fixed$hash' | chpasswd --encrypted
  - echo shared >/opt/one && ln /opt/one /opt/two && ln /opt/one /usr/share/doc/three
  - |
    cat >/etc/systemd/system/check.service <<'END'
    [Unit]
    After=ssh.service
    [Service]
    Type=oneshot
    ExecStart=/bin/sh /opt/check
    [Install]
    WantedBy=multi-user.target
    END
    cat >/opt/check <<'END'
    {
      echo "CHECK links $(stat -c %h /opt/one)"
      [ /opt/one -ef /opt/two ] && echo "CHECK same $(cat /opt/two)"
      echo "CHECK su $(stat -c %a:%u /usr/bin/su)"
      echo "CHECK home $(stat -c %U:%G /home/op)"
      echo "CHECK init $(cat /proc/1/comm)"
      echo "CHECK id $(wc -c </etc/machine-id)"
      echo "CHECK ssh $(systemctl is-active ssh)"
      echo "CHECK keys $(ls /etc/ssh/ssh_host_*_key | wc -l)"
      echo "CHECK failed $(systemctl --failed --no-legend --plain | wc -l) $(systemctl --failed --no-legend --plain | cut -d ' ' -f 1)"
      echo "CHECK python $(/usr/bin/python3 -c 'import os; print(1 + 1)')"
    } >/dev/console 2>&1
    systemctl --force poweroff
    END
    systemctl enable check.service
`;

async function build(name: string, recipe: string, state: string, fresh: boolean) {
  const site = join(folder, 'site');
  mkdirSync(join(site, 'images'), { recursive: true });
  writeFileSync(join(site, 'site.yaml'), SITE);
  writeFileSync(join(site, 'images', `${name}.yaml`), recipe);
  const loaded = await loadSite(site);
  assert.ok(loaded.ok);
  const found = loaded.site.images.get(name);
  assert.ok(found);
  return buildImage(found, {
    shelf: openShelf(join(folder, state)),
    cache: defaultCache(process.env, process.getuid?.()),
    site,
    agent: agentFiles(),
    check: true,
    fresh,
    now: Date.now,
    onProgress: () => {},
  });
}

let image: ShelvedImage | undefined;

test('two builds from nothing give the same bytes', async () => {
  const one = await build('lab-whole', WHOLE, 'state1', true);
  const two = await build('lab-whole', WHOLE, 'state2', true);
  assert.equal(one.rootFrom, undefined);
  assert.equal(two.rootFrom, undefined);
  assert.equal(two.image.kernel.sha256, one.image.kernel.sha256);
  assert.equal(two.image.initrd.sha256, one.image.initrd.sha256);
  assert.ok(readFileSync(one.image.initrd.path).equals(readFileSync(two.image.initrd.path)));
  image = one.image;
});

test('a change that leaves the root alone uses it again', async () => {
  const again = await build(
    'lab-whole',
    WHOLE.replace('remove: [', 'remove: [/usr/lib/udev/hwdb.bin, '),
    'state1',
    false,
  );
  assert.notEqual(again.rootFrom, undefined);
  assert.notEqual(again.image.sha256, image?.sha256);
  assert.ok(again.image.initrd.size < (image?.initrd.size ?? 0));
});

test('a root of Debian in which the agent would be silent is refused by the name of what it lacks', async () => {
  const silent = WHOLE.replace('remove: [', 'remove: [/usr/bin/curl, /usr/bin/wget, /usr/bin/busybox, ');
  await assert.rejects(build('lab-whole', silent, 'state1', false), {
    code: 'IMAGE_BUILD_FAILED',
    message:
      /^the agent does not work in image lab-whole, which lacks:\n {2}a program .*which the recipe leaves out \(`remove`\)$/,
  });
});

test('the image boots: links, owners and modes arrive, no unit fails', async () => {
  assert.ok(image);
  const said = await boot(image);
  const checks = new Map([...said.matchAll(/CHECK (\w+) ([^\r\n]*)/g)].map((match) => [match[1], match[2]?.trim()]));
  assert.deepEqual(
    Object.fromEntries(checks),
    {
      // The third name lay in the documentation, which is left out.
      links: '2',
      same: 'shared',
      su: '4755:0',
      home: 'op:op',
      init: 'systemd',
      id: '33',
      ssh: 'active',
      keys: '2',
      failed: '0',
      python: '2',
    },
    said.slice(-3000),
  );
});

test('a run line that fails is named with its place and what it said, and the shelf stays as it was', async () => {
  const recipe = `from: { debian: bookworm }
run:
  - echo fine
  - |
    echo now it goes wrong
    false
`;
  await assert.rejects(build('lab-broken', recipe, 'state3', true), {
    code: 'IMAGE_BUILD_FAILED',
    message: /run line 2 .*\n(.*\n)*now it goes wrong/,
    place: { file: 'images/lab-broken.yaml', line: 4, col: 5 },
  });
  assert.deepEqual(await openShelf(join(folder, 'state3')).list(), []);
  assert.deepEqual(
    readdirSync(join(folder, 'state3')).filter((name) => !name.startsWith('.lock')),
    [],
  );
});

test('a package that does not exist is named', async () => {
  const recipe = 'from: { debian: bookworm }\npackages: [no-such-package-anywhere]\n';
  await assert.rejects(build('lab-missing', recipe, 'state3', true), {
    code: 'IMAGE_BUILD_FAILED',
    message: /Unable to locate package no-such-package-anywhere/,
  });
});

/** Boots an image in QEMU until it powers off; what its console said. */
async function boot(of: ShelvedImage): Promise<string> {
  const args = ['-accel', 'tcg', '-m', '1024', '-display', 'none', '-serial', 'stdio', '-no-reboot', '-nodefaults'];
  const line = 'console=ttyS0 no_timer_check rw rootfstype=ramfs';
  const machine = spawn(
    'qemu-system-x86_64',
    [...args, '-kernel', of.kernel.path, '-initrd', of.initrd.path, '-append', line],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = new Promise<void>((resolve, reject) => {
    machine.on('close', () => resolve());
    machine.on('error', reject);
  });
  const timer = setTimeout(() => machine.kill('SIGKILL'), 180_000);
  let said = '';
  for await (const chunk of machine.stdout) said += chunk;
  await ended;
  clearTimeout(timer);
  return said;
}
