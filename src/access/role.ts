/** What a caller of the operators' API may do, from least to most: read; act on machines; change tokens and the site. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Whether a caller with one role may do what needs another. */
export function suffices(has: Role, needed: Role): boolean {
  return ROLES.indexOf(has) >= ROLES.indexOf(needed);
}
