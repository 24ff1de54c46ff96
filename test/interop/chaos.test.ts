import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chaos } from '../chaos/run.ts';

// `make chaos` is the long form of this.
const KINDS = ['kill', 'full', 'descriptors', 'site', 'pause', 'clock'];

test('under load the server outlives what breaks around it: nothing is lost, nothing doubled, service is back in time', async () => {
  const evidence = mkdtempSync(join(tmpdir(), 'reveille-chaos-evidence-'));
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const rounds = await chaos({ rounds: KINDS.length, seed: 10, kinds: KINDS, rate: 100, evidence, print });
  assert.equal(rounds.length, KINDS.length, lines.join('\n'));
  for (const { failures } of rounds) assert.deepEqual(failures, [], `${lines.join('\n')}\nevidence: ${evidence}`);
  rmSync(evidence, { recursive: true });
});
