/** A word of a command of a shell, quoted if it needs to be: names at a destination can be anything. */
export const shellWord = (text: string) =>
  /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
