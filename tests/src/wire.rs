//! A wire between phones and a relay: it passes bytes on, sees nothing of them, and can go dead without being cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A wire that is laid.
pub struct Wire {
    address: SocketAddr,
    opened: Arc<AtomicUsize>,
    dead: watch::Sender<()>,
}

impl Wire {
    /// A wire to `upstream`.
    pub async fn lay(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (dead, _) = watch::channel(());
        let opened = Arc::new(AtomicUsize::new(0));
        tokio::spawn({
            let (opened, dead) = (Arc::clone(&opened), dead.clone());
            async move {
                while let Ok((phone, _)) = listener.accept().await {
                    opened.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(pass(phone, upstream, dead.subscribe()));
                }
            }
        });
        Self { address, opened, dead }
    }

    /// Where phones reach it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// How many connections were opened so far.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// From now on nothing passes on the connections that are open, and none of them is closed; new ones work.
    pub fn go_dead(&self) {
        self.dead.send(()).unwrap();
    }
}

async fn pass(mut phone: TcpStream, upstream: SocketAddr, mut dead: watch::Receiver<()>) {
    let mut relay = TcpStream::connect(upstream).await.unwrap();
    tokio::select! {
        _ = copy_bidirectional(&mut phone, &mut relay) => {}
        _ = dead.changed() => std::future::pending::<()>().await,
    }
}
