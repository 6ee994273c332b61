/** A page's state as the extension tells it, and its way back to the extension. */
import { useEffect, useState } from 'preact/hooks';
import type { FromAnyPage } from '../../../extension/novsc/page-messages.ts';
import { connect } from './vscode-api.ts';

/** Called once for a page. `next` makes of the state and a message the new state. */
export function pageOf<State, In, Out>(empty: State, next: (state: State, message: In) => State) {
  let receive: (message: In) => void = () => {};
  const post = connect<Out | FromAnyPage, In>((message) => receive(message));
  const usePage = (): State => {
    const [state, setState] = useState(empty);
    useEffect(() => {
      receive = (message) => setState((before) => next(before, message));
      post({ kind: 'ready' });
    }, []);
    return state;
  };
  return { post, usePage };
}
