//! `pli serve`: a relay that runs. The relay itself is `pli-backend`; operating it is in `admin`.

use std::path::{Path, PathBuf};

use backend::{Relay, RelayConfig, Tls};
use serde::Serialize;

use crate::arguments::Serve;
use crate::failure::Failure;
use crate::language::tell;
use crate::screen::Screen;
use crate::stop::Ending;

#[derive(Serialize)]
struct Serving {
    url: String,
    ca: Option<PathBuf>,
    name: String,
    metrics: Option<String>,
}

/// Runs a relay until it should end; what it accepted is finished first.
pub(crate) async fn serve(asked: Serve, screen: Screen) -> Result<(), Failure> {
    let tls = match (asked.cert, asked.key) {
        (Some(cert), Some(key)) => Tls::Files { cert, key },
        _ if asked.dev_tls => Tls::Dev,
        _ => Tls::None,
    };
    let scheme = if matches!(tls, Tls::None) { "http" } else { "https" };
    let config = RelayConfig {
        data: asked.data,
        listen: asked.listen,
        name: asked.name.clone(),
        tls,
        metrics: asked.metrics,
    };
    let ending = Ending::listen(asked.until_stdin_closes).map_err(Failure::System)?;
    let running = Relay::start(config).await?;
    let serving = Serving {
        url: format!("{scheme}://{}", running.local_addr()),
        ca: running.ca().map(Path::to_path_buf),
        name: asked.name,
        metrics: running
            .metrics_addr()
            .map(|address| format!("http://{address}/metrics")),
    };
    screen.answer(&serving, |serving| {
        let url = &serving.url;
        let mut text = tell!(
            "The relay serves at {url}. Ctrl-C ends it.",
            "Le relais répond à {url}. Ctrl-C l'arrête."
        );
        if let Some(ca) = &serving.ca {
            let ca = ca.display();
            text.push('\n');
            text.push_str(&tell!(
                "Clients take its authority: --ca {ca}",
                "Les clients prennent son autorité : --ca {ca}"
            ));
        }
        if let Some(metrics) = &serving.metrics {
            text.push('\n');
            text.push_str(&tell!(
                "Whoever reaches it reads its figures at {metrics}",
                "Qui peut y accéder lit ses chiffres à {metrics}"
            ));
        }
        text
    })?;
    ending.wanted().await;
    Ok(running.stop().await?)
}
