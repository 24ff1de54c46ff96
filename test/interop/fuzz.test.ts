import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PROTOCOLS } from '../fuzz/input.ts';
import { fuzz } from '../fuzz/run.ts';

// `make fuzz` is the long form of this.
test('whatever is sent over DHCP, TFTP and HTTP, the server stays whole and known machines are served', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-fuzz-findings-'));
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const result = await fuzz({ seconds: 7, seed: 10, protocols: PROTOCOLS, findings: folder, inspect: true, print });
  const found = [...result.findings.kinds].map(([what, { detail, file }]) => `${what}: ${detail}\n${file}`);
  assert.deepEqual(found, [], lines.join('\n'));
  for (const protocol of PROTOCOLS) assert.ok((result.inputs.get(protocol) ?? 0) > 100, lines.join('\n'));
  for (const [client, { times }] of result.clients) assert.ok(times.length > 0, `${client} was never answered`);
  rmSync(folder, { recursive: true });
});
