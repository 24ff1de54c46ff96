import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type FollowedSite, followSite, leftOutOf } from './follow.ts';
import { loadSite } from './load.ts';
import type { Site } from './site.ts';
import { findingText, withSiteFolder } from './testing/folderFixture.ts';

const GOOD = 'site: one\nnetworks:\n  a: { subnet: 10.0.0.0/24 }\n';

/** The last line is a comment: without its end the text is still a site. */
const GOOD_AND_MORE = `${GOOD.replace('/24 }', '/24 } # the network of the rack')}vars: { a: 1 }\n`;

const IMAGE = 'from: { debian: bookworm }\npackages: [linux-image-cloud-amd64, systemd-sysv, iproute2, curl]\n';

function nodeLine(n: number): string {
  return `  node0${n}: { mac: 52:54:00:00:00:0${n}, ip: 10.0.0.${n} }\n`;
}

type Reports = ({ readonly loaded: string } | { readonly rejected: readonly string[] })[];

async function following(
  folder: string,
  use: (followed: FollowedSite, reports: Reports, next: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const reports: Reports = [];
  const result = await followSite(folder, {
    onLoaded: (site: Site) => reports.push({ loaded: site.name }),
    onRejected: (findings) => reports.push({ rejected: findings.map(findingText) }),
  });
  if (!result.ok) assert.fail('the first load is good');
  const next = async () => {
    const before = reports.length;
    const end = performance.now() + 5000;
    while (reports.length === before) {
      assert.ok(performance.now() < end, 'nothing was reported');
      await pause(5);
    }
  };
  try {
    await use(result.followed, reports, next);
  } finally {
    result.followed.close();
  }
}

describe('following a site', () => {
  it('takes a good edit', () =>
    withSiteFolder({ 'site.yaml': GOOD }, (folder) =>
      following(folder, async (followed, reports, next) => {
        assert.equal(followed.current().name, 'one');
        assert.deepEqual(reports, [], 'the first load is the result itself');
        await writeFile(join(folder, 'new'), GOOD.replace('one', 'two'));
        await rename(join(folder, 'new'), join(folder, 'site.yaml'));
        await next();
        assert.equal(followed.current().name, 'two');
        assert.deepEqual(reports, [{ loaded: 'two' }]);
      }),
    ));

  it('keeps the last good site over a bad edit, says so, and takes its correction', () =>
    withSiteFolder({ 'site.yaml': GOOD }, (folder) =>
      following(folder, async (followed, reports, next) => {
        await writeFile(join(folder, 'site.yaml'), GOOD.replace('10.0.0.0/24', '10.0.0.0'));
        await next();
        assert.equal(followed.current().name, 'one');
        assert.deepEqual(reports, [{ rejected: ['site.yaml:3:16: "10.0.0.0" is not a subnet | such as 10.0.0.0/24'] }]);
        assert.deepEqual(
          followed.refused()?.findings.map(findingText),
          reports.flatMap((one) => ('rejected' in one ? one.rejected : [])),
        );
        await writeFile(join(folder, 'site.yaml'), GOOD.replace('one', 'three'));
        await next();
        assert.equal(followed.current().name, 'three');
        assert.equal(followed.refused(), undefined);
      }),
    ));

  const gone: readonly (readonly [what: string, text: string, reason: string])[] = [
    ['is empty', '', 'site.yaml:1:1: the site has no network'],
    ['has no network left', 'site: two\nnodes: {}\n', 'site.yaml:1:1: the site has no network'],
    [
      'is cut off within a line',
      GOOD_AND_MORE.slice(0, GOOD_AND_MORE.indexOf(' the rack')),
      'site.yaml:3:46: the file ends here, in the middle of a line',
    ],
    [
      'is cut off between two lines, a section with it',
      GOOD_AND_MORE.slice(0, GOOD_AND_MORE.indexOf('vars:')),
      'site.yaml:4:1: the file ends here, and much followed before',
    ],
  ];
  for (const [what, text, reason] of gone) {
    it(`keeps the last good site over a file that ${what}`, () =>
      withSiteFolder({ 'site.yaml': GOOD_AND_MORE }, (folder) =>
        following(folder, async (followed, reports, next) => {
          await writeFile(join(folder, 'site.yaml'), text);
          await next();
          assert.equal(followed.current().networks.size, 1);
          const [first] = reports;
          assert.ok(first && 'rejected' in first && first.rejected[0]?.startsWith(reason), JSON.stringify(reports));
        }),
      ));
  }

  /** Each puts something in the place of site.yaml that is there and cannot be read. */
  const unreadable: readonly (readonly [what: string, put: (file: string) => unknown, reason: RegExp])[] = [
    ['a folder', (file) => mkdir(file), /this is not a file|EISDIR/],
    ['a FIFO', (file) => execFileSync('mkfifo', [file]), /this is not a file/],
    ['a link to a device without end', (file) => symlink('/dev/zero', file), /this is not a file/],
    ['a link in a circle', (file) => symlink('site.yaml', file), /ELOOP/],
    ['a link to nothing', (file) => symlink('nothing', file), /there is no site.yaml/],
  ];
  for (const [what, put, reason] of unreadable) {
    it(`keeps the last good site over ${what}, and takes its correction`, () =>
      withSiteFolder({ 'site.yaml': GOOD }, (folder) =>
        following(folder, async (followed, reports, next) => {
          const file = join(folder, 'site.yaml');
          await rm(file);
          await put(file);
          await followed.reload();
          assert.equal(followed.current().name, 'one');
          assert.match(followed.refused()?.findings[0]?.message ?? '', reason);
          await rm(file, { recursive: true });
          await writeFile(file, GOOD.replace('one', 'two'));
          while (followed.current().name !== 'two') await next();
          assert.equal(followed.refused(), undefined, JSON.stringify(reports));
        }),
      ));
  }

  const profiles: readonly (readonly [what: string, text: string, reason: RegExp])[] = [
    ['is empty', '', /^this file is empty$/],
    ['is cut off within a line', 'image: boo', /^the file ends here, in the middle of a line/],
  ];
  for (const [what, text, reason] of profiles) {
    it(`keeps the last good site over a profile that ${what}`, () =>
      withSiteFolder(
        {
          'site.yaml': GOOD,
          'profiles/p.yaml': 'image: bookworm\n',
          'images/boo.yaml': IMAGE,
          'images/bookworm.yaml': IMAGE,
        },
        (folder) =>
          following(folder, async (followed) => {
            await writeFile(join(folder, 'profiles/p.yaml'), text);
            await followed.reload();
            assert.match(followed.refused()?.findings[0]?.message ?? '', reason);
            await writeFile(join(folder, 'profiles/p.yaml'), 'image: boo\n');
            await followed.reload();
            assert.equal(followed.refused(), undefined);
          }),
      ));
  }

  it('accepts a removed end of the file where a comment confirms it, and a removed last node without', () =>
    withSiteFolder({ 'site.yaml': `${GOOD}nodes:\n${nodeLine(1)}${nodeLine(2)}` }, (folder) =>
      following(folder, async (followed) => {
        await writeFile(join(folder, 'site.yaml'), `${GOOD}nodes:\n${nodeLine(1)}`);
        await followed.reload();
        assert.equal(followed.current().nodes.size, 1);
        await writeFile(join(folder, 'site.yaml'), GOOD);
        await followed.reload();
        assert.equal(followed.current().nodes.size, 1);
        await writeFile(join(folder, 'site.yaml'), `${GOOD}# no nodes yet\n`);
        await followed.reload();
        assert.equal(followed.current().nodes.size, 0);
      }),
    ));

  it('does not begin with a site that has no network', () =>
    withSiteFolder({ 'site.yaml': 'site: one\n' }, async (folder) => {
      const { ok } = await followSite(folder, { onLoaded: () => {}, onRejected: () => {} });
      assert.equal(ok, false);
    }));

  it('survives a file that is half written, then completed', () =>
    withSiteFolder({ 'site.yaml': GOOD }, (folder) =>
      following(folder, async (followed, reports, next) => {
        await writeFile(join(folder, 'site.yaml'), 'site: four\nnetworks:\n  a: { subnet: 10.0');
        await next();
        assert.equal(followed.current().name, 'one');
        await writeFile(join(folder, 'site.yaml'), GOOD.replace('one', 'four'));
        await next();
        assert.equal(followed.current().name, 'four');
        assert.deepEqual(
          reports.map((one) => Object.keys(one)[0]),
          ['rejected', 'loaded'],
        );
      }),
    ));

  it('loads one at a time, and once more for whatever changed meanwhile', () =>
    withSiteFolder({ 'site.yaml': GOOD }, (folder) =>
      following(folder, async (followed, reports) => {
        await Promise.all([followed.reload(), followed.reload(), followed.reload(), followed.reload()]);
        assert.deepEqual(reports, [{ loaded: 'one' }, { loaded: 'one' }]);
      }),
    ));

  it('reads again what changed while it was first read', () =>
    withSiteFolder({ 'site.yaml': GOOD }, async (folder) => {
      const reports: string[] = [];
      let closed = false;
      const result = await followSite(
        folder,
        { onLoaded: (site) => reports.push(site.name), onRejected: () => assert.fail('the site is good') },
        {
          watching: (_, onChange) => {
            setImmediate(onChange);
            return {
              ready: Promise.resolve(),
              follow: () => Promise.resolve(),
              close: () => {
                closed = true;
              },
            };
          },
        },
      );
      if (!result.ok) assert.fail('the site is good');
      await result.followed.reload();
      assert.ok(reports.length >= 1);
      result.followed.close();
      assert.equal(closed, true);
    }));

  it('follows nothing if the first load fails', () =>
    withSiteFolder({ 'site.yaml': 'site: [' }, async (folder) => {
      const fail = () => assert.fail('no report is expected');
      const result = await followSite(folder, { onLoaded: fail, onRejected: fail });
      assert.equal(result.ok, false);
      await writeFile(join(folder, 'site.yaml'), GOOD);
      await pause(400);
    }));

  it('leaves out what is served by TFTP and what images are made from, but nothing that it reads', () =>
    withSiteFolder(
      {
        'tftp/x': '',
        'nodes/n/x': '',
        'roots/base.tar': '',
        'images/a.yaml': 'from: { tar: roots/base.tar }\n',
        'images/b.yaml': 'from: { tar: /etc/hostname }\n',
      },
      async (folder) => {
        const rows: readonly (readonly [root: string, left: readonly string[]])[] = [
          ['tftp', ['tftp', 'roots/base.tar']],
          ['nodes/n', ['roots/base.tar']],
          ['/etc', ['roots/base.tar']],
        ];
        for (const [root, left] of rows) {
          const loaded = await loadSite(folder, { siteText: `${GOOD}tftp: { root: ${root} }\n` });
          if (!loaded.ok) assert.fail(JSON.stringify(loaded.findings));
          assert.deepEqual(
            [...leftOutOf(loaded.site)],
            left.map((path) => join(folder, path)),
            root,
          );
        }
      },
    ));

  it('reads nothing anew while files are copied below tftp.root', () =>
    withSiteFolder({ 'site.yaml': `${GOOD}tftp: { root: tftp }\n`, 'tftp/x': '' }, (folder) =>
      following(folder, async (_, reports, next) => {
        for (let i = 0; i < 10; i++) {
          await writeFile(join(folder, 'tftp/x'), `${i}`);
          await writeFile(join(folder, `tftp/y${i}`), `${i}`);
          await pause(50);
        }
        assert.deepEqual(reports, []);
        await writeFile(join(folder, 'site.yaml'), `${GOOD.replace('one', 'two')}tftp: { root: tftp }\n`);
        await next();
        assert.deepEqual(reports, [{ loaded: 'two' }]);
      }),
    ));
});
