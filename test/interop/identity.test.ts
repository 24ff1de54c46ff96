import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createECDH, createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { encodeSshKey, makeSshKey, SSH_KEY_TYPES, sshFingerprint } from '../../src/node/opensshKey.ts';

const scratch = mkdtempSync(join(tmpdir(), 'reveille-keys-'));
after(() => rmSync(scratch, { recursive: true }));

describe('ssh-keygen reads the host keys that we make', () => {
  for (const type of SSH_KEY_TYPES) {
    test(`${type}: the private file gives the public line, and its fingerprint is ours`, async () => {
      for (let i = 0; i < (type === 'rsa' ? 4 : 40); i++) {
        const key = await makeSshKey(type, `root@node${i}`);
        const file = join(scratch, `${type}${i}`);
        writeFileSync(file, key.private, { mode: 0o600 });
        assert.equal(execFileSync('ssh-keygen', ['-y', '-P', '', '-f', file], { encoding: 'utf8' }).trim(), key.public);
        assert.equal(
          execFileSync('ssh-keygen', ['-lf', file], { encoding: 'utf8' }).split(' ').slice(1, 3).join(' '),
          `${sshFingerprint(key.public)} root@node${i}`,
        );
        // Signs with it, and verifies by the public line.
        const message = join(scratch, 'message');
        writeFileSync(message, 'hello');
        rmSync(`${message}.sig`, { force: true });
        execFileSync('ssh-keygen', ['-Y', 'sign', '-f', file, '-n', 'file', message], { stdio: 'ignore' });
        const signature = execFileSync('ssh-keygen', ['-Y', 'check-novalidate', '-n', 'file', '-s', `${message}.sig`], {
          input: 'hello',
          encoding: 'utf8',
        });
        assert.match(signature, /Good "file" signature/);
      }
    });
  }

  test('numbers with leading zeros are written without them', () => {
    const ecdh = createECDH('prime256v1');
    ecdh.setPrivateKey(Buffer.concat([Buffer.alloc(3), Buffer.alloc(29, 0x91)]));
    const [d, point] = [ecdh.getPrivateKey(), ecdh.getPublicKey()];
    const part = (bytes: Buffer) => bytes.toString('base64url');
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      d: part(Buffer.concat([Buffer.alloc(32 - d.length), d])),
      x: part(point.subarray(1, 33)),
      y: part(point.subarray(33)),
    };
    const key = encodeSshKey(createPrivateKey({ key: jwk, format: 'jwk' }), 'one');
    const file = join(scratch, 'one');
    writeFileSync(file, key.private, { mode: 0o600 });
    assert.equal(execFileSync('ssh-keygen', ['-y', '-P', '', '-f', file], { encoding: 'utf8' }).trim(), key.public);
  });
});
