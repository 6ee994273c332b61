/**
 * One DAP area: the requests it answers and the capabilities it has because of them. `initialize` is the union of all
 * areas, so a capability cannot be announced without the code that honours it.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { RingsideRequests } from '../protocol/custom.ts';
import type { Session } from './session.ts';

interface Request<Arguments, Response extends DebugProtocol.Response> {
  arguments: Arguments;
  body: Response['body'];
}

/** Standard requests that Ringside answers. */
interface StandardRequests {
  initialize: Request<DebugProtocol.InitializeRequestArguments, DebugProtocol.InitializeResponse>;
  launch: Request<Record<string, unknown>, DebugProtocol.LaunchResponse>;
  attach: Request<Record<string, unknown>, DebugProtocol.AttachResponse>;
  configurationDone: Request<DebugProtocol.ConfigurationDoneArguments, DebugProtocol.ConfigurationDoneResponse>;
  restart: Request<DebugProtocol.RestartArguments, DebugProtocol.RestartResponse>;
  disconnect: Request<DebugProtocol.DisconnectArguments, DebugProtocol.DisconnectResponse>;
  terminate: Request<DebugProtocol.TerminateArguments, DebugProtocol.TerminateResponse>;
  cancel: Request<DebugProtocol.CancelArguments, DebugProtocol.CancelResponse>;
  setBreakpoints: Request<DebugProtocol.SetBreakpointsArguments, DebugProtocol.SetBreakpointsResponse>;
  setFunctionBreakpoints: Request<
    DebugProtocol.SetFunctionBreakpointsArguments,
    DebugProtocol.SetFunctionBreakpointsResponse
  >;
  setInstructionBreakpoints: Request<
    DebugProtocol.SetInstructionBreakpointsArguments,
    DebugProtocol.SetInstructionBreakpointsResponse
  >;
  setExceptionBreakpoints: Request<
    DebugProtocol.SetExceptionBreakpointsArguments,
    DebugProtocol.SetExceptionBreakpointsResponse
  >;
  dataBreakpointInfo: Request<DebugProtocol.DataBreakpointInfoArguments, DebugProtocol.DataBreakpointInfoResponse>;
  setDataBreakpoints: Request<DebugProtocol.SetDataBreakpointsArguments, DebugProtocol.SetDataBreakpointsResponse>;
  breakpointLocations: Request<DebugProtocol.BreakpointLocationsArguments, DebugProtocol.BreakpointLocationsResponse>;
  continue: Request<DebugProtocol.ContinueArguments, DebugProtocol.ContinueResponse>;
  pause: Request<DebugProtocol.PauseArguments, DebugProtocol.PauseResponse>;
  next: Request<DebugProtocol.NextArguments, DebugProtocol.NextResponse>;
  stepIn: Request<DebugProtocol.StepInArguments, DebugProtocol.StepInResponse>;
  stepOut: Request<DebugProtocol.StepOutArguments, DebugProtocol.StepOutResponse>;
  stepInTargets: Request<DebugProtocol.StepInTargetsArguments, DebugProtocol.StepInTargetsResponse>;
  gotoTargets: Request<DebugProtocol.GotoTargetsArguments, DebugProtocol.GotoTargetsResponse>;
  goto: Request<DebugProtocol.GotoArguments, DebugProtocol.GotoResponse>;
  threads: Request<Record<string, never>, DebugProtocol.ThreadsResponse>;
  stackTrace: Request<DebugProtocol.StackTraceArguments, DebugProtocol.StackTraceResponse>;
  scopes: Request<DebugProtocol.ScopesArguments, DebugProtocol.ScopesResponse>;
  variables: Request<DebugProtocol.VariablesArguments, DebugProtocol.VariablesResponse>;
  setVariable: Request<DebugProtocol.SetVariableArguments, DebugProtocol.SetVariableResponse>;
  setExpression: Request<DebugProtocol.SetExpressionArguments, DebugProtocol.SetExpressionResponse>;
  evaluate: Request<DebugProtocol.EvaluateArguments, DebugProtocol.EvaluateResponse>;
  completions: Request<DebugProtocol.CompletionsArguments, DebugProtocol.CompletionsResponse>;
  disassemble: Request<DebugProtocol.DisassembleArguments, DebugProtocol.DisassembleResponse>;
  readMemory: Request<DebugProtocol.ReadMemoryArguments, DebugProtocol.ReadMemoryResponse>;
  writeMemory: Request<DebugProtocol.WriteMemoryArguments, DebugProtocol.WriteMemoryResponse>;
  source: Request<DebugProtocol.SourceArguments, DebugProtocol.SourceResponse>;
  loadedSources: Request<DebugProtocol.LoadedSourcesArguments, DebugProtocol.LoadedSourcesResponse>;
  modules: Request<DebugProtocol.ModulesArguments, DebugProtocol.ModulesResponse>;
  exceptionInfo: Request<DebugProtocol.ExceptionInfoArguments, DebugProtocol.ExceptionInfoResponse>;
}

export type Requests = StandardRequests & RingsideRequests;

/** Arguments are what the client claims: a handler checks each field it relies on. */
type Handlers = {
  readonly [Name in keyof Requests]?: (
    session: Session,
    args: Requests[Name]['arguments'],
  ) => Promise<Requests[Name]['body']> | Requests[Name]['body'];
};

export interface Area {
  readonly capabilities: DebugProtocol.Capabilities;
  readonly handlers: Handlers;
}
