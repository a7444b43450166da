//! The relay's TLS: certificates from files, or from a development CA of its own that speaks for this machine alone.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::folder;
use crate::relay::RelayError;

/// What clients take with `--ca`.
pub(crate) const CA: &str = "ca.pem";
/// Its key.
pub(crate) const CA_KEY: &str = "ca-key.pem";
const HOST: &str = "localhost";
/// Years that a development CA lives.
const CA_YEARS: i32 = 10;

/// Where the relay's certificate comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tls {
    /// The relay makes a CA in its data folder, once, and a certificate for localhost, 127.0.0.1 and `::1` at each start.
    Dev,
    /// PEM files.
    Files {
        /// The certificate, followed by those that lead to its CA.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// Plain HTTP: for tests and measurements, or behind a proxy on the same machine.
    None,
}

/// The server's configuration from PEM files.
pub(crate) fn from_files(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, RelayError> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| RelayError::Tls(format!("the certificate file: {error}")))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| RelayError::Tls(format!("the key file: {error}")))?;
    server_config(chain, key)
}

/// The server's configuration from the development CA in `data`, and where that CA's certificate is.
pub(crate) fn from_dev_ca(data: &Path) -> Result<(Arc<ServerConfig>, PathBuf), RelayError> {
    let (ca_path, key_path) = (data.join(CA), data.join(CA_KEY));
    let ca_key = if ca_path.exists() && key_path.exists() {
        let pem = fs::read_to_string(&key_path)?;
        KeyPair::from_pem(&pem)?
    } else {
        let key = KeyPair::generate()?;
        folder::write_private(&key_path, key.serialize_pem().as_bytes())?;
        let certificate = ca_params()?.self_signed(&key)?;
        folder::write_private(&ca_path, certificate.pem().as_bytes())?;
        key
    };
    let key = KeyPair::generate()?;
    let issuer = Issuer::new(ca_params()?, ca_key);
    let certificate = server_params()?.signed_by(&key, &issuer)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = server_config(vec![certificate.der().clone()], key.into())?;
    Ok((config, ca_path))
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, RelayError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RelayError::Tls(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| RelayError::Tls(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn ca_params() -> Result<CertificateParams, RelayError> {
    let mut params = params("Pli development CA", CA_YEARS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Whoever steals its key can impersonate this machine to itself, and nobody else.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName(HOST.to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4(Ipv4Addr::LOCALHOST.octets(), [255; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6(Ipv6Addr::LOCALHOST.octets(), [255; 16])),
        ],
        excluded_subtrees: Vec::new(),
    });
    Ok(params)
}

fn server_params() -> Result<CertificateParams, RelayError> {
    let mut params = params("Pli relay", 1)?;
    params.subject_alt_names = vec![
        SanType::DnsName(HOST.try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// A certificate of this name, from last year's first day to the first day of the year after `years` more.
fn params(name: &str, years: i32) -> Result<CertificateParams, RelayError> {
    let mut params = CertificateParams::new(Vec::new())?;
    let year = i32::from(jiff::Zoned::now().year());
    params.not_before = rcgen::date_time_ymd(year.saturating_sub(1), 1, 1);
    params.not_after = rcgen::date_time_ymd(year.saturating_add(years).saturating_add(1), 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
