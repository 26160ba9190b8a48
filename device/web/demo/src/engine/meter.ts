/** Hears of bytes as they come in. */
export type OnBytes = (bytes: number) => void;

/**
 * Runs a task, and counts the bytes of everything that it fetches.
 *
 * LiteRT fetches its own WebAssembly, by far the most of what is loaded, and tells nobody how far it
 * is. So the page's `fetch` itself is counted for as long as the task takes.
 */
export async function metered<Result>(
  onBytes: OnBytes,
  task: () => Promise<Result>,
): Promise<Result> {
  const plain = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const response = await plain(input, init);
    if (response.ok && response.body) {
      // A copy is counted: the browser keeps compiled code only with the response that it made.
      void count(response.clone(), onBytes);
    }
    return response;
  };
  try {
    return await task();
  } finally {
    globalThis.fetch = plain;
  }
}

async function count(response: Response, onBytes: OnBytes): Promise<void> {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const step = await reader?.read();
      if (!step || step.done) {
        return;
      }
      onBytes(step.value.byteLength);
    }
  } catch {
    // Whoever reads the response itself tells of a broken connection.
  }
}
