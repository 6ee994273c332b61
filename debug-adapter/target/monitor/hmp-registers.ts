/** `info registers` of QEMU's monitor (and of ours): the registers that a GDB stub leaves out. */
type Row = readonly [pattern: RegExp, ...registers: readonly string[]];

const SEGMENT = '=([0-9a-f]{4}) ([0-9a-f]{8,16}) ([0-9a-f]{8}) ([0-9a-f]{8})';
const TABLE = '= +([0-9a-f]{8,16}) ([0-9a-f]{8})';

/** Each row's groups in the order of its registers; a segment's last group becomes its attributes. */
const ROWS: readonly Row[] = [
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name): Row => segment(name.toUpperCase().padEnd(3), name)),
  segment('LDT', 'ldtr'),
  segment('TR ', 'tr'),
  [new RegExp(`^GDT${TABLE}`, 'm'), 'gdtr_base', 'gdtr_limit'],
  [new RegExp(`^IDT${TABLE}`, 'm'), 'idtr_base', 'idtr_limit'],
  ...['0', '1', '2', '3', '6', '7'].map((n): Row => [new RegExp(`DR${n}=([0-9a-f]+)`), `dr${n}`]),
];

/** Values by name, unsigned; registers that the text does not show are left out. */
export function parseRegisters(text: string): ReadonlyMap<string, bigint> {
  const values = new Map<string, bigint>();
  for (const [pattern, ...registers] of ROWS) {
    const digits = pattern.exec(text)?.slice(1) ?? [];
    registers.forEach((name, index) => {
      const found = digits[index];
      if (found === undefined) return;
      const value = BigInt(`0x${found}`);
      values.set(name, name.endsWith('_attr') ? attributes(value) : value);
    });
  }
  return values;
}

function segment(label: string, name: string): Row {
  return [new RegExp(`^${label}${SEGMENT}`, 'm'), name, `${name}_base`, `${name}_limit`, `${name}_attr`];
}

/** From the high half of a descriptor to the layout of the VMX access-rights field (Intel SDM vol. 3C 24.4.1). */
const attributes = (high: bigint) => ((high >> 8n) & 0xffn) | ((high >> 8n) & 0xf000n);
