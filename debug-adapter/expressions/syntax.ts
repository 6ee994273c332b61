/** Syntax trees of expressions and type names; `at` is the column that an error about the node points to. */

export type UnaryOperator = '*' | '&' | '-' | '+' | '!' | '~';
export type ArithmeticOperator =
  | '*'
  | '/'
  | '%'
  | '+'
  | '-'
  | '<<'
  | '>>'
  | '<'
  | '>'
  | '<='
  | '>='
  | '=='
  | '!='
  | '&'
  | '^'
  | '|';
export type BinaryOperator = ArithmeticOperator | '@' | '&&' | '||' | ',';

export type Node = { readonly at: number } & (
  | { readonly kind: 'integer'; readonly value: bigint; readonly decimal: boolean; readonly suffix: string }
  | { readonly kind: 'float'; readonly value: number; readonly single: boolean }
  | { readonly kind: 'character'; readonly value: number }
  | { readonly kind: 'string'; readonly bytes: Uint8Array }
  /** `scope` is the file or function before `::`. */
  | { readonly kind: 'name'; readonly name: string; readonly scope?: string }
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Node }
  | { readonly kind: 'step'; readonly by: 1 | -1; readonly prefix: boolean; readonly operand: Node }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Node; readonly right: Node }
  | { readonly kind: 'assign'; readonly operator?: ArithmeticOperator; readonly left: Node; readonly right: Node }
  | { readonly kind: 'conditional'; readonly test: Node; readonly then: Node; readonly otherwise: Node }
  | { readonly kind: 'cast'; readonly type: TypeNode; readonly operand: Node }
  /** gdb's `{type} address`. */
  | { readonly kind: 'memory'; readonly type: TypeNode; readonly operand: Node }
  | { readonly kind: 'sizeof'; readonly of: Node | TypeNode }
  | { readonly kind: 'index'; readonly object: Node; readonly index: Node }
  | { readonly kind: 'member'; readonly object: Node; readonly name: string }
  /** Entries of a list: `offset` is that of the link in `type`. */
  | { readonly kind: 'list'; readonly head: Node; readonly type: TypeNode; readonly offset: Node }
  | { readonly kind: 'call'; readonly callee: Node }
);

export type TypeNode = { readonly at: number } & (
  | { readonly kind: 'named-type'; readonly words: readonly string[] }
  | { readonly kind: 'tagged-type'; readonly tag: 'struct' | 'union' | 'enum'; readonly name: string }
  | { readonly kind: 'typeof-type'; readonly of: Node | TypeNode }
  | { readonly kind: 'pointer-type'; readonly target: TypeNode }
  | { readonly kind: 'array-type'; readonly element: TypeNode; readonly count?: Node }
  | {
      readonly kind: 'function-type';
      readonly returns: TypeNode;
      readonly parameters: readonly TypeNode[];
      readonly variadic: boolean;
    }
  | {
      readonly kind: 'qualified-type';
      readonly qualifier: 'const' | 'volatile' | 'restrict' | 'atomic';
      readonly target: TypeNode;
    }
);

export function isTypeNode(node: Node | TypeNode): node is TypeNode {
  return node.kind.endsWith('-type');
}
