/** Whether work has ended after so many milliseconds, well or not. */
export async function hasEnded(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let late: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((settle) => {
    late = setTimeout(settle, milliseconds, false);
  });
  const ended = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([ended, timeout]);
  } finally {
    clearTimeout(late);
  }
}
