//! When a long-running command ends: Ctrl-C, the system's wish, or the end of the process that started it.

use std::io::{self, Read as _};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// The wish to end, listened for from when this is made: whoever is told that a command runs may end it in order.
pub(crate) struct Ending {
    interrupt: Signal,
    terminate: Signal,
    stdin_closed: Option<oneshot::Receiver<()>>,
}

impl Ending {
    /// Listens from now on; with `until_stdin_closes`, also for the end of standard input.
    pub(crate) fn listen(until_stdin_closes: bool) -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            stdin_closed: until_stdin_closes.then(stdin_closed).transpose()?,
        })
    }

    /// Waits until this process should end.
    pub(crate) async fn wanted(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = closed(self.stdin_closed) => {}
        }
    }
}

/// Ends with standard input; never, where that is not listened for.
async fn closed(stdin: Option<oneshot::Receiver<()>>) {
    match stdin {
        Some(closed) => drop(closed.await),
        None => std::future::pending().await,
    }
}

/// A thread of its own: a read of standard input cannot be cancelled, and must not hold up the runtime's end.
fn stdin_closed() -> io::Result<oneshot::Receiver<()>> {
    let (closed, closing) = oneshot::channel();
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut rest = [0; 256];
        while io::stdin().read(&mut rest).is_ok_and(|count| count > 0) {}
        let _ = closed.send(());
    })?;
    Ok(closing)
}
