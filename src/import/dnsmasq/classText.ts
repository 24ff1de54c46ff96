import type { SiteText } from '../draft.ts';

/** A class as site.yaml declares it. */
export type ClassText = NonNullable<SiteText['classes']>[string];
