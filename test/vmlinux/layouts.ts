/** Sizes of structures, and of their members offsets and sizes, as drgn reads them and as we do. */
import assert from 'node:assert/strict';
import type { Type } from '../../debug-adapter/symbols/api.ts';
import type { OpenSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { run } from './vmlinux.ts';

/** Prints `name size` and then `member bit-offset bit-size` of named structures, as drgn reads the same DWARF. */
const script = `
import sys, drgn
prog = drgn.Program()
prog.load_debug_info([sys.argv[1]])
for line in sys.stdin:
    kind, name = line.split()
    try:
        t = prog.type(kind + ' ' + name)
    except Exception:
        continue
    print('#', kind, name, t.size)
    for m in t.members:
        size = m.bit_field_size
        print(m.name or '', m.bit_offset, '' if size is None else size)
`;

/** Layouts of those among `names`, `struct NAME` or `union NAME`, that drgn finds in an image. */
export const drgnLayouts = (image: string, names: readonly string[]): string[] =>
  run('/usr/bin/python3', ['-c', script, image], names.join('\n')).split(/^# /m).slice(1);

function layout(type: Type): string[] {
  assert.ok(type.kind === 'struct' || type.kind === 'union');
  return type.members.map(
    ({ name, offset, bits }) => `${name ?? ''} ${offset * 8 + (bits?.offset ?? 0)} ${bits?.size ?? ''}`,
  );
}

/** What differs between `theirs`, which {@link drgnLayouts} gave, and ours. */
export function layoutDifferences(ours: OpenSymbols, theirs: readonly string[]): string[] {
  return theirs.flatMap((part) => {
    const [head = '', ...members] = part.trimEnd().split('\n');
    const [kind = '', name = '', size] = head.split(' ');
    const type = ours.typeNamed(name, kind as 'struct' | 'union');
    if (!type || !('size' in type)) return [`${kind} ${name} is not found`];
    const [mine, other] = [layout(type), members].map((lines) => lines.map((line) => line.trim()).join());
    return mine === other && String(type.size) === size ? [] : [`${kind} ${name}: ${mine} instead of ${other}`];
  });
}

/** Names for {@link drgnLayouts}: of structures that BTF has once, of which there is one in the whole image. @param btf as bpftool prints it */
export function structuresOnce(btf: string): string[] {
  const seen = new Map<string, number>();
  for (const [, kind, name] of btf.matchAll(/^\[\d+\] (STRUCT|UNION) '(\w+)' size=/gm))
    seen.set(`${kind?.toLowerCase()} ${name}`, (seen.get(`${kind?.toLowerCase()} ${name}`) ?? 0) + 1);
  return [...seen].flatMap(([text, count]) => (count === 1 ? [text] : []));
}
