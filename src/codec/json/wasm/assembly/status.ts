/** How a call over a window of text ended. */
export const DONE: i32 = 0;
/** The window ends inside the tensor: move it to `position` and call again. */
export const MORE: i32 = 1;
/** Not a tensor that the fast reader supports; the plain reader decides what it is. */
export const GIVE_UP: i32 = 2;

/** Where the call stopped, from the window's start. */
export let position: i32 = 0;

export function stopAt(address: usize, start: usize): void {
  position = i32(address - start);
}
