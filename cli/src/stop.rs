//! When a long-running command ends: Ctrl-C, the system's wish, or the end of the process that started it.

use std::io::{self, Read as _};

use tokio::sync::oneshot;

/// Waits until this process should end; with `until_stdin_closes`, also until standard input ends.
pub(crate) async fn wanted(until_stdin_closes: bool) -> io::Result<()> {
    let (closed, closing) = oneshot::channel();
    if until_stdin_closes {
        // A thread of its own: a read of standard input cannot be cancelled, and must not hold up the runtime's end.
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            let mut rest = [0; 256];
            while io::stdin().read(&mut rest).is_ok_and(|count| count > 0) {}
            let _ = closed.send(());
        })?;
        tokio::select! {
            signal = signalled() => signal,
            _ = closing => Ok(()),
        }
    } else {
        signalled().await
    }
}

#[cfg(unix)]
async fn signalled() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signalled() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
