/**
 * Python of 3.7 or later that settles the bytecode below its working directory, which is a root (PEP 552).
 *
 * With SOURCE_DATE_EPOCH in its environment, Python notes in its bytecode a checksum of the source, and then reads and sums
 * every source file whenever a program starts. Bytecode that notes its source's time and size needs no more than a stat(2).
 * But the times of a packed root are cut off at the epoch, which makes that of newer sources stale: it would be compiled anew
 * at each boot. So bytecode that fits its source now gets the time that the source will have. What is stale, or asks not
 * to be compared with its source, stays so.
 */
export const SETTLE_BYTECODE = `
import os, struct
from importlib.util import MAGIC_NUMBER, source_from_cache, source_hash

TIMES, SUMS = 0, 3
latest = int(os.environ['SOURCE_DATE_EPOCH'])

def settle(path):
    source = source_from_cache(path)
    about = os.stat(source)
    with open(path, 'rb') as file:
        magic, flags, noted = struct.unpack('<4sI8s', file.read(16))
    if magic != MAGIC_NUMBER or os.path.islink(path) or flags not in (TIMES, SUMS):
        return
    if flags == SUMS:
        with open(source, 'rb') as file:
            fits = noted == source_hash(file.read())
    else:
        fits = noted == words(int(about.st_mtime), about.st_size)
    if fits:
        with open(path, 'r+b') as file:
            file.seek(4)
            file.write(struct.pack('<I', TIMES) + words(min(int(about.st_mtime), latest), about.st_size))

def words(*numbers):
    return struct.pack('<II', *(number & 0xffffffff for number in numbers))

for top in ('usr', 'opt', 'srv', 'var', 'etc', 'home'):
    for folder, _, names in os.walk(top):
        if os.path.basename(folder) == '__pycache__':
            for name in names:
                try:
                    settle(os.path.join(folder, name))
                except (OSError, ValueError, struct.error):
                    pass  # no bytecode, or without its source
`;
