// Control characters, which a terminal interprets, and marks that change the direction of text.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const unprintableButNewline =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
// JSON text has raw characters below U+0020 only between tokens.
const unprintableInJson = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const escape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * Escapes an untrusted value (a name, a link, a field of a manifest) for display on one line of a
 * terminal.
 */
export const printable = (value: string): string => value.replace(unprintable, escape);

/** Escapes text like printable, but keeps its newlines. */
export const printableLines = (text: string): string => text.replace(unprintableButNewline, escape);

/** Escapes JSON text for display; the result parses to the same value. */
export const printableJson = (json: string): string => json.replace(unprintableInJson, escape);
