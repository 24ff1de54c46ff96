import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

assert.ok(process.env.REVEILLE_ISOLATED, 'run by test/isolated');

const ROOT = join(import.meta.dirname, '../..');
const NAME = `reveille-t${process.pid}`;
const HOME = `/var/lib/${NAME}`;
const CACHE = `/var/cache/${NAME}`;
/** Root of a user namespace with one user cannot make another. */
const MAY = process.getuid?.() === 0 && !/^\s*0\s+\d+\s+1\s*$/m.test(readFileSync('/proc/self/uid_map', 'utf8'));

test(
  "the service's user has what builds need, whatever was there before",
  MAY ? {} : { skip: 'needs root: it makes a user' },
  (t) => {
    const etc = mkdtempSync(join(tmpdir(), 'etc-'));
    execFileSync('cp', ['-a', '/etc/.', etc]);
    // Of this test's mounts alone: the machine's own users stay as they are.
    execFileSync('mount', ['--bind', etc, '/etc']);
    t.after(() => {
      execFileSync('umount', ['/etc']);
      for (const folder of [etc, HOME, CACHE]) rmSync(folder, { recursive: true, force: true });
    });
    writeFileSync('/etc/subuid', 'alice:100000:65536\n');
    writeFileSync('/etc/subgid', 'alice:100000:65536\nbob:200000:65536\n');

    const make = () => execFileSync(join(ROOT, 'packaging/service-user'), [NAME], { encoding: 'utf8' });
    const said = make();
    assert.equal(said, `user ${NAME}: home and state ${HOME}, cache ${CACHE}, ${NAME}:265536:65536\n`);
    const ids = () => [readFileSync('/etc/subuid', 'utf8'), readFileSync('/etc/subgid', 'utf8')];
    const ours = `${NAME}:265536:65536\n`;
    assert.deepEqual(ids(), [`alice:100000:65536\n${ours}`, `alice:100000:65536\nbob:200000:65536\n${ours}`]);

    const uid = Number(execFileSync('id', ['-u', NAME], { encoding: 'utf8' }));
    for (const folder of [HOME, CACHE]) {
      const { uid: owner, mode } = statSync(folder);
      assert.deepEqual([owner, mode & 0o777], [uid, 0o750], folder);
    }
    writeFileSync(join(HOME, 'built-by-root'), '');
    assert.equal(make(), said, 'again, it changes nothing');
    assert.equal(statSync(join(HOME, 'built-by-root')).uid, uid, 'but gives back what root built');
    assert.deepEqual(ids(), [`alice:100000:65536\n${ours}`, `alice:100000:65536\nbob:200000:65536\n${ours}`]);

    // What a build needs first: newuidmap takes the range, and files of every owner can be made.
    const owners = 'touch "$1" && chown 33:33 "$1" && stat -c %u "$1"';
    const inside = ['unshare', '--user', '--map-root-user', '--map-auto', 'sh', '-c', owners, 'sh', join(HOME, 'file')];
    const owner = execFileSync('runuser', ['-u', NAME, '--', ...inside], { encoding: 'utf8', cwd: '/' });
    assert.equal(owner, '33\n');
  },
);
