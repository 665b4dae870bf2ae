// Control characters, which a terminal obeys, and marks that turn the order of the text around them.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const unprintableButNewline =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
// JSON text holds no raw characters below a space except between its tokens.
const unprintableInJson = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const escaped = (found: string) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A value from outside (a name, a link, a field of a manifest) on one line, with escapes for what a terminal would obey. */
export const printable = (value: string): string => value.replace(unprintable, escaped);

/** Lines of text for people, with the same escapes. */
export const printableLines = (text: string): string =>
  text.replace(unprintableButNewline, escaped);

/** JSON text that says the same with the same escapes. */
export const printableJson = (json: string): string => json.replace(unprintableInJson, escaped);
