/** The Screen page: the picture in the guest's framebuffer. */
import { render } from 'preact';
import type { FromScreenPage, ScreenState, ToScreenPage } from '../../extension/novsc/screen-messages.ts';
import { pageOf } from './parts/use-page.ts';
import { paint } from './screen/painter.ts';

const empty: ScreenState = { kind: 'state', screen: undefined, note: '', phase: 'stopped' };

const { post, usePage } = pageOf<ScreenState, ToScreenPage, FromScreenPage>(empty, (state, message) =>
  message.kind === 'state' ? message : state,
);

// The picture is no state of the page: it goes to the canvas as it comes.
window.addEventListener('message', ({ data }: MessageEvent<ToScreenPage>) => {
  const canvas = document.querySelector('canvas');
  if (data.kind === 'rows' && canvas) paint(canvas, data);
});

const phases = { running: 'the guest is running', stopped: 'the guest is stopped', ended: 'the guest has ended' };

function ScreenPage() {
  const { screen, note, phase } = usePage();
  const size = screen && `${screen.width} × ${screen.height} pixels`;
  return (
    <main class={phase === 'ended' ? 'ended' : ''}>
      {!screen && <p class="note">{note}</p>}
      <header hidden={!screen}>
        <span class="count" role="status">
          {size}, {phases[phase]}
        </span>
        <button type="button" onClick={save}>
          Save as PNG
        </button>
      </header>
      <div class="screen" hidden={!screen}>
        <canvas role="img" aria-label={`Screen of the guest, ${size}`} />
      </div>
    </main>
  );
}

function save() {
  document.querySelector('canvas')?.toBlob(async (blob) => {
    if (blob) post({ kind: 'save', png: new Uint8Array(await blob.arrayBuffer()) });
  }, 'image/png');
}

const root = document.getElementById('root');
if (root) render(<ScreenPage />, root);
