/** A breakpoint of the table as DAP shows it. */
import { basename } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { UserBreakpoint } from './breakpoint-table.ts';
import type { SourcePaths } from './source-paths.ts';

export function describeBreakpoint(
  { id, places, message, request }: UserBreakpoint,
  guest: { readonly sources: SourcePaths } | undefined,
): DebugProtocol.Breakpoint {
  const [place] = places;
  const described: DebugProtocol.Breakpoint = { id, verified: place !== undefined };
  if (message !== undefined) described.message = message;
  if (place) described.instructionReference = hex(place.address);
  if (request.kind === 'source') {
    described.source = { name: basename(request.path), path: request.path };
    described.line = place?.line.line ?? request.line;
  } else if (place && place.line.line > 0) {
    const path = guest?.sources.here(place.line.file);
    described.line = place.line.line;
    if (path !== undefined) described.source = { name: basename(path), path };
  }
  return described;
}
