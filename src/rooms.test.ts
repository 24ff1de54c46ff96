import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

/** The rooms that each room calls, by their imports; one that is there for types alone is none (`import type`). */
function callsBetweenRooms(): Map<string, Set<string>> {
  const calls = new Map<string, Set<string>>();
  for (const file of globSync('**/*.ts', { cwd: import.meta.dirname })) {
    const from = roomOf(file);
    if (isForTests(file) || from === undefined) continue;
    const called = calls.get(from) ?? new Set();
    calls.set(from, called);
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    for (const [, what = '', path = ''] of text.matchAll(IMPORT)) {
      const to = roomOf(normalize(join(dirname(file), path)));
      if (to !== undefined && to !== from && !isTypesAlone(what)) called.add(to);
    }
  }
  return calls;
}

const IMPORT = /^(?:import|export) ([^;]*?)\s*from '(\.[^']+)'/gm;

/** Files beside the rooms, such as `errors.ts`, are of all of them. */
function roomOf(file: string): string | undefined {
  const [room, ...rest] = file.split('/');
  return rest.length === 0 ? undefined : room;
}

function isForTests(file: string): boolean {
  return /\.test\.ts$|[fF]ixtures?\.ts$|[cC]ontract\.ts$|\/(fakes|simulation)\.ts$/.test(file);
}

function isTypesAlone(what: string): boolean {
  if (what.startsWith('type ')) return true;
  const names = /^\{(.*)\}$/s.exec(what)?.[1]?.split(',') ?? [];
  return names.length > 0 && names.every((name) => name.trim() === '' || name.trim().startsWith('type '));
}

/** What `docs/architecture.md` says in its table: a room, and in the last column what it calls. */
function callsInWords(): Map<string, Set<string>> {
  const text = readFileSync(join(import.meta.dirname, '../docs/architecture.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `src\/([a-z]+)` \|.*\|([^|]*)\|$/gm)];
  return new Map(
    rows.map(([, room = '', calls = '']) => {
      const names = calls.replace(/\([^)]*\)/g, '').split(',');
      return [room, new Set(names.map((name) => name.trim()).filter((name) => name !== ''))];
    }),
  );
}

test('rooms call each other as the architecture says', () => {
  const told = callsInWords();
  const calls = callsBetweenRooms();
  assert.deepEqual([...calls.keys()].sort(), [...told.keys()].sort(), 'the rooms');
  const rooms = [...calls.keys()].filter((room) => !told.get(room)?.has('everything')).sort();
  const lines = (of: Map<string, Set<string>>) => rooms.map((room) => `${room}: ${[...(of.get(room) ?? [])].sort()}`);
  assert.deepEqual(lines(calls), lines(told));
});

test('rooms do not call each other in circles', () => {
  const calls = callsBetweenRooms();
  const reached = (room: string, by: readonly string[]): void => {
    assert(!by.includes(room), `a circle: ${[...by, room].join(' -> ')}`);
    for (const next of calls.get(room) ?? []) reached(next, [...by, room]);
  };
  for (const room of calls.keys()) reached(room, []);
});

test('nothing calls the command line or the wiring of the server but the program itself', () => {
  for (const file of globSync('**/*.ts', { cwd: import.meta.dirname })) {
    if (isForTests(file) || file.startsWith('cli/')) continue;
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    const paths = [...text.matchAll(IMPORT)].map(([, , path = '']) => normalize(join(dirname(file), path)));
    const above = paths.filter((path) => path.startsWith('cli/') || path === 'serve.ts');
    assert.deepEqual(above, [], file);
  }
});
