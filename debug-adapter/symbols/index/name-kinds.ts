/** What a name is asked for, in tags of `.debug_info`. */
import { tag } from '../dwarf-constants.ts';
import { variableDeclaration } from './unit-names.ts';

export type NameKind = 'function' | 'variable' | 'variableDeclaration' | 'type' | 'enumerator';

export const nameKinds: Readonly<Record<NameKind, ReadonlySet<number>>> = {
  function: new Set([tag.subprogram]),
  variable: new Set([tag.variable]),
  variableDeclaration: new Set([variableDeclaration]),
  type: new Set([tag.structureType, tag.classType, tag.unionType, tag.enumerationType, tag.typedef, tag.baseType]),
  enumerator: new Set([tag.enumerator]),
};
