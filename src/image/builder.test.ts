import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ReveilleError } from '../errors.ts';
import { ownershipNote, requireSubordinateIds, whoMayWrite } from './builder.ts';

const builder = { name: 'reveille', uid: 995 };

describe('subordinate ids of a user who builds', () => {
  const full = 'lxd:100000:65536\nreveille:165536:65536\n';
  const rows: [string, string | undefined, string | undefined, RegExp | undefined][] = [
    ['are there', full, full, undefined],
    [
      'are nowhere',
      undefined,
      undefined,
      /^images.*\/etc\/subuid and \/etc\/subgid give reveille \(uid 995\) no range/,
    ],
    ['lack for groups', full, 'lxd:100000:65536\n', /^images.*owners, and \/etc\/subgid gives/],
    ['lack for users', 'reveilles:1:65536\n', full, /^images.*owners, and \/etc\/subuid gives/],
    ['are too few', 'reveille:165536:1000\n', full, /\/etc\/subuid gives/],
    ['are too few in the line that counts', 'reveille:1:1\nreveille:165536:65536\n', full, /\/etc\/subuid gives/],
    ['are no number', 'reveille:165536:many\n', full, /\/etc\/subuid gives/],
  ];
  for (const [what, uids, gids, message] of rows) {
    it(what, async () => {
      const read = async (path: string): Promise<string> => {
        const text = path === '/etc/subuid' ? uids : gids;
        if (text === undefined) throw new Error('ENOENT');
        return text;
      };
      if (message === undefined) return requireSubordinateIds(builder, read);
      await assert.rejects(requireSubordinateIds(builder, read), (error) => {
        assert.ok(error instanceof ReveilleError && error.code === 'PRIVILEGE_MISSING');
        assert.match(error.message, message);
        assert.match(error.hint ?? '', /usermod --add-sub.ids FIRST-LAST.* reveille.*packaging\/service-user/);
        return true;
      });
    });
  }
});

it('the error of a folder that cannot be made names the existing folder above it, and its owner', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'builder-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const uid = process.getuid?.() ?? 0;
  const hint = await whoMayWrite(join(folder, 'home/x/.cache'), builder);
  assert.match(hint, new RegExp(`^you are reveille, and ${folder} belongs to uid ${uid}\\..*--cache`));
  assert.match(await whoMayWrite(join(folder, 'x'), { name: 'me', uid }), /belongs to me itself/);
});

it('root gets a hint to give back what it built into the state of another user', () => {
  assert.match(
    ownershipNote('/var/lib/reveille', 0, 995) ?? '',
    /chown -R -h --reference=\/var\/lib\/reveille \/var\/lib\/reveille\/images/,
  );
  const rows: [number | undefined, number | undefined][] = [
    [0, 0],
    [995, 995],
    [0, undefined],
    [undefined, 995],
  ];
  for (const [uid, owner] of rows) assert.equal(ownershipNote('/s', uid, owner), undefined);
});
