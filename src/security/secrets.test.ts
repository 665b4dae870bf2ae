import { withoutSecrets } from "./secrets.js";

test.each([
  ["?name=x&bearer=abc&access_token=abc", "?name=x&bearer=...&access_token=..."],
  ["/store/b.zip?X-Amz-Signature=abc", "/store/b.zip?X-Amz-Signature=..."],
  ["http://ada:secret@host/x?token=abc&page=2", "http://host/x?token=...&page=2"],
  ["http://host/mail@home?sig=abc", "http://host/mail@home?sig=..."],
  ["", ""],
])("%s is shown as %s", (target, shown) => expect(withoutSecrets(target)).toBe(shown));
