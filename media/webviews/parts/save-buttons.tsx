/** Buttons that save the rows of a table as a file. */
import type { ExportFormat } from '../../../extension/novsc/table.ts';

interface Props {
  readonly disabled: boolean;
  readonly onSave: (format: ExportFormat) => void;
}

export function SaveButtons({ disabled, onSave }: Props) {
  return (
    <span class="save">
      {(['csv', 'json'] as const).map((format) => (
        <button
          type="button"
          key={format}
          title={`Save the rows shown as ${format.toUpperCase()}`}
          disabled={disabled}
          onClick={() => onSave(format)}
        >
          {format.toUpperCase()}
        </button>
      ))}
    </span>
  );
}
