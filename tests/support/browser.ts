/** Debian's Chromium without a window, as a phone or as a reader of the accessibility tree. */
import { existsSync } from 'node:fs';
import puppeteer, { type Page } from 'puppeteer-core';
import type { Workspace } from './workspace.ts';

const path = '/usr/bin/chromium';

export const chromium = { name: 'chromium', isInstalled: () => existsSync(path) };

/** A page of 360 × 640, as small as phones are today; closed at the end of the test. */
export async function phone(workspace: Workspace): Promise<Page> {
  const browser = await puppeteer.launch({
    executablePath: path,
    // The tests may run as root, for whom Chromium has no sandbox; it sees nothing but our page.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
  workspace.onEnd(() => browser.close());
  const page = await browser.newPage();
  await page.setViewport({ width: 360, height: 640, isMobile: true, hasTouch: true });
  return page;
}
