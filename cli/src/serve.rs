//! `pli serve` and `pli admin`: the relay, run and operated. The relay itself is `pli-backend`.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use backend::{Relay, RelayConfig, Tls, admin};
use protocol::address::Address;
use serde::Serialize;

use crate::arguments::{AdminCommand, Serve};
use crate::failure::Failure;
use crate::files;
use crate::language::tell;
use crate::screen::Screen;
use crate::stop::Ending;

/// Largest directory file that is imported at once.
const DIRECTORY_LIMIT_BYTES: usize = 256 * 1024 * 1024;

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

#[derive(Serialize)]
struct Imported {
    added: u32,
    updated: u32,
    unchanged: u32,
    addresses: Vec<Address>,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    line: u64,
    reason: String,
}

#[derive(Serialize)]
struct ActivationCode {
    address: String,
    code: String,
}

/// Operates a relay's directory, in its folder.
pub(crate) fn admin(command: AdminCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        AdminCommand::Import { file, data } => {
            let bytes = files::read(&file, DIRECTORY_LIMIT_BYTES)?;
            let report = admin::import_csv(&data, Cursor::new(bytes))?;
            let imported = Imported {
                added: report.added,
                updated: report.updated,
                unchanged: report.unchanged,
                addresses: report.addresses,
                refused: report
                    .refused
                    .into_iter()
                    .map(|row| Refused {
                        line: row.line,
                        reason: row.reason,
                    })
                    .collect(),
            };
            screen.answer(&imported, told)?;
            if imported.refused.is_empty() {
                Ok(())
            } else {
                Err(Failure::RowsRefused)
            }
        }
        AdminCommand::Code { address, data } => {
            let code = admin::make_activation_code(&data, &address)?;
            answer_code(screen, &address, code)
        }
        AdminCommand::Reissue { address, data } => {
            let code = admin::reissue(&data, &address)?;
            answer_code(screen, &address, code)
        }
    }
}

fn answer_code(screen: Screen, address: &Address, code: String) -> Result<(), Failure> {
    let code = ActivationCode {
        address: address.to_string(),
        code,
    };
    screen.answer(&code, |code| code.code.clone())
}

fn told(imported: &Imported) -> String {
    let Imported {
        added,
        updated,
        unchanged,
        ..
    } = imported;
    let mut lines = vec![tell!(
        "{added} entries added, {updated} updated, {unchanged} unchanged.",
        "{added} fiches ajoutées, {updated} mises à jour, {unchanged} inchangées."
    )];
    lines.extend(imported.addresses.iter().map(|address| format!("  {address}")));
    for Refused { line, reason } in &imported.refused {
        lines.push(tell!(
            "  line {line} not taken: {reason}",
            "  ligne {line} non prise : {reason}"
        ));
    }
    lines.join("\n")
}
