/** `Set Breakpoint for This Task...` of the Tasks view: a function breakpoint that stops in one process alone. */
import { debug, FunctionBreakpoint, l10n, type QuickPickItem, window } from 'vscode';
import { activeSession } from '../debug/ringside-session.ts';
import type { StateNode } from '../novsc/state-node.ts';
import { type Completion, conditionForTask, symbolsAmong } from '../novsc/task-breakpoint.ts';

interface Choice extends QuickPickItem {
  readonly name: string;
  /** It is there already, for all processes or others. */
  readonly existing?: FunctionBreakpoint;
}

/** Asks for a function, proposing the breakpoints that there are and the symbols that begin as typed. */
export async function breakInTask({ task, label }: StateNode): Promise<void> {
  if (task === undefined) return;
  const choice = await chooseFunction(l10n.t('Set Breakpoint for {0} ({1})', label, task));
  if (!choice) return;
  const { name, existing } = choice;
  if (existing) debug.removeBreakpoints([existing]);
  const condition = conditionForTask(task, existing?.condition);
  debug.addBreakpoints([new FunctionBreakpoint(name, true, condition, existing?.hitCondition, existing?.logMessage)]);
}

const choiceOf = (name: string): Choice => ({ label: name, name });

function chooseFunction(title: string): Promise<Choice | undefined> {
  const there = debug.breakpoints
    .filter((breakpoint) => breakpoint instanceof FunctionBreakpoint)
    .map((existing) => ({
      label: existing.functionName,
      description: `breakpoint${existing.condition === undefined ? '' : `, ${existing.condition}`}`,
      name: existing.functionName,
      existing,
    }));
  const pick = window.createQuickPick<Choice>();
  pick.title = title;
  pick.placeholder = l10n.t('The name of a function, such as do_exit');
  pick.items = there;
  return new Promise((resolve) => {
    pick.onDidChangeValue(async (text) => {
      const names = await proposals(text);
      // What was typed since has its own answer.
      if (pick.value !== text) return;
      const typed = text.trim() === '' || names.includes(text.trim()) ? [] : [text.trim()];
      pick.items = [...there, ...[...names, ...typed].map(choiceOf)];
    });
    pick.onDidAccept(() => {
      const typed = pick.value.trim();
      // The proposals for it may still be on their way.
      resolve(pick.selectedItems[0] ?? (typed === '' ? undefined : choiceOf(typed)));
      pick.hide();
    });
    pick.onDidHide(() => {
      resolve(undefined);
      pick.dispose();
    });
    pick.show();
  });
}

/** None where the guest runs or the adapter knows none: any name can be typed. */
async function proposals(text: string): Promise<readonly string[]> {
  const session = activeSession();
  if (!session || text.trim() === '') return [];
  try {
    const body: { targets?: readonly Completion[] } = await session.customRequest('completions', {
      text: text.trim(),
      column: text.trim().length + 1,
    });
    return symbolsAmong(body.targets ?? []);
  } catch {
    return [];
  }
}
