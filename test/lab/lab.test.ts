import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LabStatus } from '../../src/lab/control.ts';

type RunningRack = LabStatus & { readonly insidePid: number };

const REPOSITORY = join(import.meta.dirname, '../..');

test('an operator sets a rack up, uses it, loses it and takes it down', async () => {
  const state = await mkdtemp(join(tmpdir(), 'reveille-lab-'));
  const lab = (command: string, ...words: string[]) => reveille('lab', command, '--state', state, ...words);
  const up = ['--site', join(REPOSITORY, 'examples/demo'), '--memory', '128', '--json'];
  try {
    const none = await lab('status');
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no rack of .* is up[\s\S]*lab up/);

    const first = await lab('up', ...up, '--nics', '2');
    assert.equal(first.code, 0, first.stderr);
    const stands = JSON.parse(first.stdout) as RunningRack;
    assert.deepEqual(
      stands.machines.map(({ name, on, macs }) => [name, on, macs.length, macs[0]]),
      [
        ['node01', false, 2, '52:54:00:00:00:51'],
        ['node02', false, 2, '52:54:00:00:00:52'],
      ],
    );
    const twice = await lab('up', ...up);
    assert.equal(twice.code, 1);
    assert.match(twice.stderr, /stands already/);

    assert.equal((await lab('boot', 'node01', 'node09')).code, 1);
    const booted = await lab('boot', 'node01', '--json');
    assert.deepEqual(
      (JSON.parse(booted.stdout) as LabStatus).machines.map(({ on }) => on),
      [true, false],
      'the request that named a machine that is not there switched nothing on',
    );
    const link = await lab('exec', '--', 'ip', '-br', 'addr', 'show', 'br0');
    assert.match(link.stdout, /10\.0\.0\.2\/24/);
    const served = JSON.parse((await reveille('status', '--json', '--state', state)).stdout) as { live: boolean };
    assert.equal(served.live, true);

    process.kill(stands.pid, 'SIGKILL');
    while (runs(stands.insidePid)) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.match((await lab('status')).stderr, /no rack of .* is up/);

    const again = await lab('up', ...up);
    assert.equal(again.code, 0, again.stderr);
    const { pid, insidePid } = JSON.parse(again.stdout) as RunningRack;
    assert.equal((await lab('down')).code, 0);
    while (runs(pid) || runs(insidePid)) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal((await lab('down')).code, 1);
  } finally {
    await lab('down');
    await rm(state, { recursive: true, force: true });
  }
});

test('a site that does not load, and flags that cannot be, are refused before anything is set up', async () => {
  const state = await mkdtemp(join(tmpdir(), 'reveille-lab-'));
  try {
    const broken = await reveille('lab', 'up', '--site', state, '--state', state);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /site\.yaml/);
    assert.equal((await reveille('lab', 'up', '--nics', 'many')).code, 2);
    assert.equal((await reveille('lab', 'up', '--nic-model', 'ne2000')).code, 2);
    assert.equal((await reveille('lab', 'up', '--firmware', 'coreboot')).code, 2);
  } finally {
    await rm(state, { recursive: true, force: true });
  }
});

function reveille(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(join(REPOSITORY, 'bin/reveille'), words, { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
    });
  });
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
