/** Default maximum nesting depth of a JSON body, more than ten times what any layer needs. */
export const DEEPEST = 512;
