import type { Statement, StatementOf } from './tree.ts';

/** A statement that gives something a value in its scope. */
export type Setting = StatementOf<'option' | 'parameter' | 'permit' | 'authoritative'>;

/** What a setting sets: `filename`, `option dhcp.routers`, `allow unknown-clients`. Of two with one key the later counts. */
export function keyOf(setting: Setting): string | undefined {
  switch (setting.kind) {
    case 'option':
      return optionKey(setting.option.space, setting.option.name);
    case 'parameter':
      return setting.keyword;
    case 'authoritative':
      return 'authoritative';
    case 'permit': {
      const { what } = setting;
      if (what.kind === 'flag') return `allow ${what.flag}`;
      return what.kind === 'unknown' ? 'allow unknown-clients' : undefined;
    }
  }
}

export function optionKey(space: string, name: string): string {
  return `option ${space}.${name}`.toLowerCase();
}

export function isSetting(statement: Statement): statement is Setting {
  return ['option', 'parameter', 'permit', 'authoritative'].includes(statement.kind);
}
