import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { plainDirectory } from './entry.ts';
import { layIn } from './layin.ts';

test('sshd is given host keys that it lacks, and keeps those that it has', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const entries = new Map(
    ['usr/sbin/sshd', 'usr/sbin/init'].map((path) => [path, { ...plainDirectory(path, 0), kind: 'file' as const }]),
  );
  const laid = layIn({ entries, links: new Map(), fstab: '' }, { slim: true, keep: [], agent: [], mtime: 0 });
  const dropIn = laid.find(({ entry }) => entry.path.endsWith('/ssh.service.d/reveille.conf'));
  // As systemd reads it, for which two dollars are one.
  const text = Buffer.from(dropIn?.content ?? [])
    .toString()

    .replaceAll('$$', '$');
  const [, script = ''] = /^ExecStartPre=\/bin\/sh -c '(.*)'$/m.exec(text) ?? [];
  assert.match(script, /^cd \/etc\/ssh && /);
  const run = () =>
    execFileSync('/bin/sh', ['-c', script.replace('/etc/ssh', folder)], { stdio: ['ignore', 'pipe', 'pipe'] });

  run();
  const made = readdirSync(folder).sort();
  assert.deepEqual(
    made,
    ['ecdsa', 'ed25519'].flatMap((type) => [`ssh_host_${type}_key`, `ssh_host_${type}_key.pub`]),
  );
  const before = made.map((name) => readFileSync(join(folder, name), 'utf8'));
  rmSync(join(folder, 'ssh_host_ecdsa_key'));
  rmSync(join(folder, 'ssh_host_ecdsa_key.pub'));
  run();
  assert.deepEqual(readdirSync(folder).sort(), made);
  assert.deepEqual(
    made.slice(2).map((name) => readFileSync(join(folder, name), 'utf8')),
    before.slice(2),
  );
});
