// Debian's Chromium for tests that run on an emulated host: it stays on this machine, and they drive it from there.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

/** This machine's loopback interface as QEMU's user network shows it to its guest. */
const fromTheGuest = '10.0.2.2';

const options = JSON.parse(readFileSync(new URL('chromium.json', import.meta.url), 'utf8'));

/** Starts it; `endpoint` is for playwright's `connect` on the emulated host. */
export async function serveBrowser() {
  const server = await chromium.launchServer({ ...options, host: '127.0.0.1' });
  return {
    endpoint: server.wsEndpoint().replace(/(?<=^ws:\/\/)[^:/]+/, fromTheGuest),
    close: () => server.close(),
  };
}
