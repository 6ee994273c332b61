/**
 * Milliseconds after which a test that hangs is given up. On an emulated host, which sets RINGSIDE_PATIENCE to how many times
 * slower than a real one it may be, that is later.
 */
export const patience = (milliseconds: number): number => milliseconds * Number(process.env['RINGSIDE_PATIENCE'] ?? 1);
