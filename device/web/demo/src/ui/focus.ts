import type { RefObject } from 'preact';

/**
 * Keeps the focus near a control that is about to go, for those who use the keyboard.
 *
 * @param within Where the controls of the same kind are.
 * @param selector What they have in common.
 * @param place The one that is going, counted from 0.
 * @param otherwise What gets the focus where none is left.
 */
export function focusNear(
  within: RefObject<HTMLElement | null>,
  selector: string,
  place: number,
  otherwise = '',
): void {
  const going = document.activeElement;
  // Two frames: the list is drawn anew after the next one.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      if (going?.isConnected && document.activeElement === going) {
        return;
      }
      const left = within.current?.querySelectorAll<HTMLElement>(selector) ?? [];
      const next = left[Math.min(place, left.length - 1)];
      (next ?? (otherwise ? document.querySelector<HTMLElement>(otherwise) : null))?.focus();
    }),
  );
}
