import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Type } from '../../debug-adapter/symbols/api.ts';
import { type OpenSymbols, openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { run, vmlinux } from './vmlinux.ts';

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

let symbols: OpenSymbols;
before(async () => {
  symbols = await openSymbols(vmlinux);
  await symbols.indexed;
});
after(() => symbols.close());

/** Names of structures that BTF has once, of which there is one in the whole image. */
function structures(): { kind: 'struct' | 'union'; name: string }[] {
  const text = run('bpftool', ['btf', 'dump', 'file', vmlinux]);
  const seen = new Map<string, number>();
  for (const [, kind, name] of text.matchAll(/^\[\d+\] (STRUCT|UNION) '(\w+)' size=/gm))
    seen.set(`${kind?.toLowerCase()} ${name}`, (seen.get(`${kind?.toLowerCase()} ${name}`) ?? 0) + 1);
  return [...seen]
    .filter(([, count]) => count === 1)
    .map(([text]) => {
      const [kind, name] = text.split(' ');
      return { kind: kind as 'struct' | 'union', name: name as string };
    });
}

function layout(type: Type): string[] {
  assert.ok(type.kind === 'struct' || type.kind === 'union');
  return type.members.map(
    ({ name, offset, bits }) => `${name ?? ''} ${offset * 8 + (bits?.offset ?? 0)} ${bits?.size ?? ''}`,
  );
}

describe("structures of Debian's kernel", () => {
  test('offsets and sizes of all members as drgn has them', () => {
    const wanted = structures();
    const text = run(
      '/usr/bin/python3',
      ['-c', script, vmlinux],
      wanted.map(({ kind, name }) => `${kind} ${name}`).join('\n'),
    );
    const theirs = text.split(/^# /m).slice(1);
    assert.ok(theirs.length > 5000, `drgn knows ${theirs.length}`);
    const differences = theirs.flatMap((part) => {
      const [head = '', ...members] = part.trimEnd().split('\n');
      const [kind = '', name = '', size] = head.split(' ');
      const ours = symbols.typeNamed(name, kind as 'struct' | 'union');
      if (!ours || !('size' in ours)) return [`${kind} ${name} is not found`];
      const [mine, other] = [
        layout(ours)
          .map((line) => line.trim())
          .join(),
        members.map((line) => line.trim()).join(),
      ];
      return mine === other && String(ours.size) === size ? [] : [`${kind} ${name}: ${mine} instead of ${other}`];
    });
    assert.deepEqual(differences, []);
  });
});
