/**
 * An fstab(5) without the file systems of disks, which a diskless machine would wait for and not start; what lies on the
 * network and in memory stays. Undefined if there is nothing to leave out.
 */
export function withoutDisks(fstab: string): string | undefined {
  const lines = fstab.split('\n');
  const kept = lines.map((line) => (isOfDisk(line) ? `# left out, the root is in memory: ${line.trim()}` : line));
  return kept.every((line, at) => line === lines[at]) ? undefined : kept.join('\n');
}

function isOfDisk(line: string): boolean {
  const [source = '', path = '', type = ''] = line.trim().split(/\s+/);
  if (source === '' || source.startsWith('#')) return false;
  return /^(UUID|LABEL|PARTUUID|PARTLABEL|ID)=|^\/dev\//.test(source) || path === '/' || type === 'swap';
}
