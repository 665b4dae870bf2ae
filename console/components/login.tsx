import { useState } from "preact/hooks";
import { getHost } from "../api/host.js";
import { signIn } from "../api/session.js";
import { Notice } from "./notice.js";

/** Asks for a token. It is kept in memory, and in the storage of the tab only if the user wants it. */
export function Login() {
  const [given, setGiven] = useState("");
  const [remember, setRemember] = useState(false);
  const [problem, setProblem] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    setProblem("");
    await signIn(given.trim(), remember, getHost).catch((error: unknown) =>
      setProblem((error as Error).message),
    );
  };
  return (
    <main class="login">
      <h1>Holdfast</h1>
      <form onSubmit={(event) => void submit(event)}>
        <label for="token">Token</label>
        <input
          id="token"
          type="password"
          autocomplete="current-password"
          value={given}
          onInput={(event) => setGiven(event.currentTarget.value)}
          required
          autofocus
        />
        <label class="check">
          <input
            type="checkbox"
            checked={remember}
            onChange={(event) => setRemember(event.currentTarget.checked)}
          />
          Remember it until this tab is closed
        </label>
        <button type="submit">Sign in</button>
      </form>
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
    </main>
  );
}
