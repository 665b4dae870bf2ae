/** Archives up to this size are held in memory while they are saved. */
export const memoryBytes = 64 * 1024 ** 2;

type Picker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/** Present in browsers that can write a file while it arrives; asks the user where. */
const picker = (window as { showSaveFilePicker?: Picker }).showSaveFilePicker?.bind(window);

/** Whether a file of any size can be saved. */
export const canStream = picker !== undefined;

/** Saves a response with the browser's download, by memory. Throws if it was cut short. */
export async function saveByMemory(
  response: Response,
  fileName: string,
  sizeBytes: number,
): Promise<void> {
  const blob = await response.blob();
  if (blob.size !== sizeBytes) throw new Error("The archive was cut off. Download it again.");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Saves a response to a file that the user picks, as it arrives. Call it from a click. Returns whether a file was picked. */
export async function saveByStream(
  ask: () => Promise<Response>,
  fileName: string,
  signal: AbortSignal,
): Promise<boolean> {
  const handle = await picker?.({ suggestedName: fileName }).catch((thrown: unknown) => {
    if ((thrown as Error).name !== "AbortError") throw thrown;
  });
  if (!handle) return false;
  const { body } = await ask();
  await body?.pipeTo(await handle.createWritable(), { signal });
  return true;
}
