/** Activation: everything is registered here and does its work when it is first needed. */
import { commands, DebugConfigurationProviderTriggerKind, debug, type ExtensionContext, env, workspace } from 'vscode';
import type { Hex } from '../debug-adapter/protocol/custom.ts';
import { breakInTask } from './commands/break-in-task.ts';
import { checkHost } from './commands/check-host.ts';
import { DisassemblyDocuments } from './commands/disassembly-document.ts';
import { goToCode } from './commands/go-to-code.ts';
import { injectInterrupt } from './commands/inject-interrupt.ts';
import { showKernelLog, showWhatIs, writeVmcore } from './commands/linux.ts';
import { MemoryDocuments } from './commands/memory-document.ts';
import { openSample } from './commands/open-sample.ts';
import { Reports } from './commands/reports.ts';
import { SerialTerminals } from './console/serial-terminal.ts';
import { adapterFactory } from './debug/adapter.ts';
import { chooseKernel, KvmConfigurationProvider } from './debug/configuration.ts';
import { registerInlineValues } from './debug/inline-values.ts';
import { DEBUG_TYPE } from './debug/ringside-session.ts';
import type { StateNode } from './novsc/state-node.ts';
import { RegisterDisplay } from './state/register-display.ts';
import { StopStore } from './state/stop-store.ts';
import { StopsOn } from './state/stops-on.ts';
import { AddressSpaceView, chooseCr3 } from './views/address-space.ts';
import { ExitsView } from './views/exits.ts';
import { HypercallsView } from './views/hypercalls.ts';
import { interruptsView } from './views/interrupts.ts';
import { registerMarks } from './views/marks.ts';
import { memoryMapPanel, memoryMapView } from './views/memory-map.ts';
import { PageTablesView } from './views/page-tables.ts';
import { registersView, setRegister } from './views/registers.ts';
import { ScreenPanel } from './views/screen.ts';
import { tasksView } from './views/tasks.ts';
import { VcpusView } from './views/vcpus.ts';

export function activate(context: ExtensionContext): void {
  const store = new StopStore();
  const stopsOn = new StopsOn();
  const registers = new RegisterDisplay(context.workspaceState);
  const pageTables = new PageTablesView(store);
  const addressSpace = new AddressSpaceView(context, store);
  const memoryMap = memoryMapPanel(context, store);
  const screen = new ScreenPanel(context, store);
  const memory = new MemoryDocuments(store);
  const disassembly = new DisassemblyDocuments(store);
  const reports = new Reports();
  const configurations = new KvmConfigurationProvider();
  const command = (name: string, run: (argument?: StateNode) => unknown) =>
    commands.registerCommand(`ringside.${name}`, run);

  context.subscriptions.push(
    store,
    stopsOn,
    debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, adapterFactory(context)),
    debug.registerDebugConfigurationProvider(DEBUG_TYPE, configurations),
    debug.registerDebugConfigurationProvider(
      DEBUG_TYPE,
      { provideDebugConfigurations: (folder, token) => configurations.provideDebugConfigurations(folder, token) },
      DebugConfigurationProviderTriggerKind.Dynamic,
    ),
    new SerialTerminals(),
    registerInlineValues(),
    registerMarks(),
    registers,
    registersView(store, registers, stopsOn),
    pageTables,
    addressSpace,
    interruptsView(store),
    new HypercallsView(context, store, stopsOn),
    memoryMapView(store),
    new ExitsView(context, store, stopsOn),
    new VcpusView(context, store),
    memoryMap,
    screen,
    tasksView(store),
    memory,
    disassembly,
    reports,
    command('checkHost', () => checkHost(context, reports)),
    command('openSample', () => openSample(context)),
    command('pickKernel', () => chooseKernel(workspace.workspaceFolders?.[0])),
    commands.registerCommand('ringside.walk', (from?: StateNode | Hex) => pageTables.walk(from)),
    command('showAddressSpace', () => addressSpace.show()),
    command('showMemoryMap', () => memoryMap.show()),
    command('showScreen', () => screen.show()),
    command('chooseCr3', () => chooseCr3(store)),
    command('dropWalk', (node) => node && pageTables.dropWalk(node)),
    command('setRegister', (node) => setRegister(store, node)),
    command('pinRegister', (node) => node && registers.pin(node.label, true)),
    command('unpinRegister', (node) => node && registers.pin(node.label, false)),
    command('stopWhenWritten', (node) => node?.stopOn && stopsOn.set(store.session, node.stopOn.line, true)),
    command('stopNoMore', (node) => node?.stopOn && stopsOn.set(store.session, node.stopOn.line, false)),
    command('chooseRegisterFormat', () => registers.chooseFormat()),
    command('copyValue', (node) => node?.copy !== undefined && env.clipboard.writeText(node.copy)),
    command('injectInterrupt', (node) => injectInterrupt(store, node?.vector)),
    command('breakInTask', (node) => node && breakInTask(node)),
    commands.registerCommand('ringside.whatIs', (from?: StateNode | VariableContext) => showWhatIs(store, named(from))),
    command('showKernelLog', () => showKernelLog(store, reports)),
    command('writeVmcore', () => writeVmcore(store)),
    command('refresh', () => store.refresh()),
    commands.registerCommand('ringside.showMemory', (from?: StateNode | Hex) =>
      memory.show('virtual', addressOf(from)),
    ),
    commands.registerCommand('ringside.showPhysicalMemory', (from?: StateNode | Hex) =>
      memory.show('physical', typeof from === 'string' ? from : from?.physical),
    ),
    commands.registerCommand('ringside.goToCode', (from?: StateNode | Hex) => goToCode(disassembly, addressOf(from))),
    commands.registerCommand('ringside.showDisassembly', (from?: StateNode | Hex) => disassembly.show(addressOf(from))),
  );
}

/** The guest-virtual address that a command was given, by a row or a page. */
const addressOf = (from: StateNode | Hex | undefined) => (typeof from === 'object' ? from.address : from);

/** What VS Code hands to a command of the Variables view's context menu, as far as it is used here. */
interface VariableContext {
  readonly variable: { readonly evaluateName?: string; readonly value: string };
}

/** An expression for what a context menu was opened on. */
function named(from: StateNode | VariableContext | undefined): string | undefined {
  if (!from) return undefined;
  return 'variable' in from ? (from.variable.evaluateName ?? from.variable.value) : from.address;
}
