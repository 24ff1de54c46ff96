const HIDDEN = '***';

/** The last part of a key whose value is a secret: `rootpw`, `passwd/root-password-crypted`, `k3s_token`, `wpa-psk`. */
const SECRET_KEY =
  '[\\w./@:-]*(?:pass(?:w(?:or)?d|phrase|code)?|pwd?|psk|wep|wpa|secret|token|credentials?|api-?key|key|auth(?:orization)?|bearer|cookie|login)' +
  '(?:[-_.]?(?:crypted|hash|again|data|value|id|in|\\d+))?';

const QUOTED_OR_WORD = '(?:"[^"]*"?|\'[^\']*\'?|[^\\s&;,"\'|]+)';

/** What is hidden, in this order, and what stands in its place. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // User and password of a URL, up to the last @ of the word: a password may hold one itself.
  [/:\/\/[^\s"']*@/g, `://${HIDDEN}@`],
  // `iscsi:user:password@host`, `user:password@host`.
  [/(^|[\s="',;])([^\s:/=@"',;]+):[^\s/@"']+@/g, `$1$2:${HIDDEN}@`],
  [new RegExp(`(^|[\\s"',;?&|])(${SECRET_KEY})=${QUOTED_OR_WORD}`, 'gi'), `$1$2=${HIDDEN}`],
  // A directive and its value: `menu master passwd ...`, `rootpw --iscrypted ...`.
  [/(^|\s)(passw(?:or)?d|passphrase|rootpw|bearer|basic)\s+\S.*$/gi, `$1$2 ${HIDDEN}`],
  // What crypt(3) makes.
  [/\$(?:[1256y7]|2[abxy]|4|gy|sha1|md5)\$[^\s"',;]+/g, HIDDEN],
  // A signed token (JWT), and tokens that name their maker.
  [/\beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?/g, HIDDEN],
  [/\b(?:gh[oprsu]_|github_pat_|glpat-|hvs\.|xox[abprs]-|AKIA)[\w.-]{10,}/g, HIDDEN],
];

/**
 * A line of a boot configuration as a report may show it: passwords, tokens and keys are `***`. It is for people to read;
 * what boots keeps its words.
 */
export function hideSecrets(text: string): string {
  return SECRETS.reduce((shown, [pattern, instead]) => shown.replace(pattern, instead), text);
}
