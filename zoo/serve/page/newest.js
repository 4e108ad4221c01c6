// One thing at a time, and of what is asked meanwhile only the last.

/**
 * Runs `task` once at a time and, when it was called meanwhile, once more with the newest arguments: a slider may ask
 * faster than a generator answers.
 */
export function newest(task) {
  let [running, waiting] = [false, null];
  return async (...given) => {
    waiting = given;
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const now = waiting;
        waiting = null;
        await task(...now);
      }
    } finally {
      running = false;
    }
  };
}
