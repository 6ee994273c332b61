import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertLayouts, nodeMembers } from './fixtures/layouts.ts';
import { build, compilers, everyVariant, nameOf, type Variant } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';

const variants: readonly Variant[] = [
  ...everyVariant.filter(({ optimisation }) => optimisation === 0),
  ...compilers.flatMap((compiler) => [
    { compiler, optimisation: 0, dwarf: 4, flags: ['-fdebug-types-section'] } as const,
    { compiler, optimisation: 0, dwarf: 5, flags: ['-fdebug-types-section'] } as const,
    { compiler, optimisation: 0, dwarf: 5, flags: ['-gz=zlib'] } as const,
    { compiler, optimisation: 0, dwarf: 5, flags: ['-gsplit-dwarf'] } as const,
  ]),
  { compiler: 'gcc', optimisation: 0, dwarf: 4, flags: ['-gstrict-dwarf', '-gdwarf-3'] },
  { compiler: 'gcc', optimisation: 1, dwarf: 5, flags: ['-gdwarf64'] },
  { compiler: 'gcc', optimisation: 1, dwarf: 5, narrow: true },
];

describe('layouts as gdb has them', () => {
  for (const variant of variants) {
    test(nameOf(variant), async () => {
      const program = build(variant);
      const symbols = await openSymbols(program);
      assertLayouts(symbols, program);
      symbols.close();
    });
  }
});

test('what C programs are made of', async () => {
  const symbols = await openSymbols(build({ compiler: 'gcc', optimisation: 0, dwarf: 5 }));
  const member = nodeMembers(symbols);

  const other = member('other');
  assert.ok(other.kind === 'pointer' && other.target.kind === 'struct');
  assert.deepEqual([other.target.declaration, other.target.size, other.target.members.length], [false, 24, 2]);
  const hidden = member('hidden');
  assert.ok(hidden.kind === 'pointer' && hidden.target.kind === 'struct' && hidden.target.declaration);

  const compare = member('compare');
  assert.ok(compare.kind === 'pointer' && compare.target.kind === 'function');
  assert.deepEqual([compare.target.parameters.length, compare.target.variadic], [2, true]);
  const grid = member('grid');
  assert.ok(grid.kind === 'array' && grid.count === 3 && grid.element.kind === 'array' && grid.element.count === 4);
  const tail = member('tail');
  assert.ok(tail.kind === 'array' && !('count' in tail));

  const signed = symbols.enumerator('BEFORE');
  assert.ok(signed?.value === -2n && signed.type.kind === 'enum' && signed.type.signed);
  const colour = symbols.enumerator('BLUE');
  assert.ok(colour?.value === 8n && colour.type.kind === 'enum' && !colour.type.signed);
  assert.equal(symbols.typeNamed('u64')?.kind, 'typedef');
  assert.equal(symbols.typeNamed('nothing_of_that_name', 'struct'), undefined);

  const counters = symbols
    .globals('counter')
    .map(({ kind, declared }) => `${kind} ${declared?.file.split('/').at(-1)}`);
  assert.deepEqual(counters.sort(), ['global program.c', 'static second.c']);
  symbols.close();
});
