import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

/** The rooms that each room imports from, types included; `model` is of all of them. */
function importsBetweenRooms(): Map<string, Set<string>> {
  const imports = new Map<string, Set<string>>();
  for (const file of globSync('**/*.ts', { cwd: import.meta.dirname })) {
    const from = roomOf(file);
    if (isForTests(file) || from === undefined) continue;
    const called = imports.get(from) ?? new Set();
    imports.set(from, called);
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    for (const [, path = ''] of text.matchAll(IMPORT)) {
      const to = roomOf(normalize(join(dirname(file), path)));
      if (to !== undefined && to !== from && to !== MODEL) called.add(to);
    }
  }
  return imports;
}

const MODEL = 'model';

const IMPORT = /^(?:import|export) [^;]*?\s*from '(\.[^']+)'/gm;

/** Files beside the rooms, such as `errors.ts`, are of all of them. */
function roomOf(file: string): string | undefined {
  const [room, ...rest] = file.split('/');
  return rest.length === 0 ? undefined : room;
}

function isForTests(file: string): boolean {
  return /\.test\.ts$|\/testing\//.test(file);
}

/** What `docs/architecture.md` says in its table: a room, and in the last column what it imports from. */
function importsInWords(): Map<string, Set<string>> {
  const text = readFileSync(join(import.meta.dirname, '../docs/architecture.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `src\/([a-z]+)` \|.*\|([^|]*)\|$/gm)];
  return new Map(
    rows.map(([, room = '', rooms = '']) => {
      const names = rooms.replace(/\([^)]*\)/g, '').split(',');
      return [room, new Set(names.map((name) => name.trim()).filter((name) => name !== ''))];
    }),
  );
}

test('rooms import from each other as the architecture says, types included', () => {
  const documented = importsInWords();
  const imports = importsBetweenRooms();
  assert.deepEqual([...imports.keys()].sort(), [...documented.keys()].sort(), 'the rooms');
  const rooms = [...imports.keys()].filter((room) => !documented.get(room)?.has('everything')).sort();
  const lines = (of: Map<string, Set<string>>) => rooms.map((room) => `${room}: ${[...(of.get(room) ?? [])].sort()}`);
  assert.deepEqual(lines(imports), lines(documented));
});

test('rooms import from each other in no circle, types included', () => {
  const imports = importsBetweenRooms();
  const reached = (room: string, by: readonly string[]): void => {
    assert(!by.includes(room), `a circle: ${[...by, room].join(' -> ')}`);
    for (const next of imports.get(room) ?? []) reached(next, [...by, room]);
  };
  for (const room of imports.keys()) reached(room, []);
});

test('the model imports no other room', () => {
  assert.deepEqual([...(importsBetweenRooms().get('model') ?? [])], []);
});

test('nothing calls the command line or the wiring of the server but the program itself', () => {
  for (const file of globSync('**/*.ts', { cwd: import.meta.dirname })) {
    if (isForTests(file) || file.startsWith('cli/')) continue;
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    const paths = [...text.matchAll(IMPORT)].map(([, path = '']) => normalize(join(dirname(file), path)));
    const above = paths.filter((path) => path.startsWith('cli/') || path === 'serve.ts');
    assert.deepEqual(above, [], file);
  }
});
