//! `cargo xtask sbom`: what the program `pli` is made of, as a CycloneDX 1.6 document.
//! The crates are Cargo's own account of them; what may be among them is said in `deny.toml`.

#![expect(clippy::indexing_slicing, reason = "a field that JSON has not reads as null")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::checkout::Checkout;

/// The lines below the options of `cargo xtask sbom --help`.
pub(crate) const HELP: &str = "It is written to target/pli.cdx.json and says nothing of when or where: \
    the same checkout gives the same bytes.\n\n\
    Examples:\n  \
    cargo xtask sbom                                      for this machine's kind\n  \
    cargo xtask sbom --target aarch64-unknown-linux-gnu  for another one";

/// Writes the document; where it is.
pub(crate) fn write(checkout: &Checkout, target: Option<&str>) -> io::Result<PathBuf> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let document = document(checkout, target.unwrap_or(&host))?;
    let count = |what: &str| document[what].as_array().map_or(0, Vec::len);
    let path = checkout.target("pli.cdx.json");
    fs::write(&path, serde_json::to_string_pretty(&document)? + "\n")?;
    println!(
        "{}: {} components, {} of which say what they stand on",
        path.display(),
        count("components"),
        count("dependencies")
    );
    Ok(path)
}

fn document(checkout: &Checkout, target: &str) -> io::Result<Value> {
    let metadata = cargo(
        checkout,
        &["metadata", "--format-version=1", "--filter-platform", target],
    )?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    // Cargo's metadata are of the workspace: which crates are in `pli` its tree says.
    let shipped = tree(checkout, target, "normal")?;
    let used = tree(checkout, target, "normal,build")?;
    let checksums = checksums(&fs::read_to_string(checkout.path("Cargo.lock"))?);

    let mut parts = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let part = Part::of(package);
        if used.contains(&part.key()) {
            parts.insert(text(&package["id"]), part);
        }
    }
    let Some(pli) = parts.values().find(|part| part.name == "pli") else {
        return Err(io::Error::other("cargo metadata does not name pli"));
    };
    let components = parts.values().filter(|part| part.name != "pli").map(|part| {
        let mut component = part.component("library");
        let scope = if shipped.contains(&part.key()) {
            "required"
        } else {
            "excluded"
        };
        component.insert("scope".to_owned(), json!(scope));
        if let Some(checksum) = checksums.get(&part.key()) {
            component.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": checksum }]));
        }
        let inside = part.inside();
        if !inside.is_empty() {
            component.insert("components".to_owned(), inside.into());
        }
        Value::Object(component)
    });
    let nodes = list(&metadata["resolve"]["nodes"]);
    let dependencies = nodes.filter_map(|node| {
        let part = parts.get(text(&node["id"]))?;
        let on: BTreeSet<_> = list(&node["deps"])
            .filter(|on| list(&on["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
            .filter_map(|on| parts.get(text(&on["pkg"])).map(Part::purl))
            .collect();
        Some(json!({ "ref": part.purl(), "dependsOn": on }))
    });
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": pli.component("application"),
            "properties": [{ "name": "pli:target", "value": target }],
        },
        "components": components.collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    }))
}

/// A crate.
struct Part<'a> {
    name: &'a str,
    version: &'a str,
    licence: String,
    repository: Option<&'a str>,
    folder: &'a Path,
}

impl<'a> Part<'a> {
    fn of(package: &'a Value) -> Self {
        let manifest = Path::new(text(&package["manifest_path"]));
        Self {
            name: text(&package["name"]),
            version: text(&package["version"]),
            // As Cargo wrote alternatives before it took SPDX expressions.
            licence: text(&package["license"]).replace(" / ", "/").replace('/', " OR "),
            repository: package["repository"].as_str(),
            folder: manifest.parent().unwrap_or(manifest),
        }
    }

    fn key(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version.replace('+', "%2B"))
    }

    fn component(&self, kind: &str) -> Map<String, Value> {
        let mut component = Map::new();
        let mut put = |name: &str, value: Value| component.insert(name.to_owned(), value);
        put("type", json!(kind));
        put("bom-ref", json!(self.purl()));
        put("name", json!(self.name));
        put("version", json!(self.version));
        put("licenses", json!([{ "expression": self.licence }]));
        put("purl", json!(self.purl()));
        if let Some(repository) = self.repository {
            put("externalReferences", json!([{ "type": "vcs", "url": repository }]));
        }
        component
    }

    /// The C libraries whose sources the crate carries: scanners of vulnerabilities know them by their own names.
    fn inside(&self) -> Vec<Value> {
        let c = |name: &str, version: &str| json!({ "type": "library", "name": name, "version": version });
        if self.name == "sqlcipher-src" {
            // 419.0.6+sqlcipher-4.19.0-sqlite-3.53.4-libtomcrypt-1.18.2
            let named = self.version.split_once('+').map_or("", |(_, named)| named);
            let words: Vec<_> = named.split('-').collect();
            return words
                .chunks_exact(2)
                .filter(|pair| pair.first() != Some(&"libtomcrypt"))
                .filter_map(|pair| Some(c(pair.first()?, pair.last()?)))
                .collect();
        }
        if self.name == "aws-lc-sys" {
            let header = fs::read_to_string(self.folder.join("aws-lc/include/openssl/base.h")).unwrap_or_default();
            let version = header
                .lines()
                .find_map(|line| line.strip_prefix("#define AWSLC_VERSION_NUMBER_STRING "));
            return version
                .map(|version| c("aws-lc", version.trim_matches('"')))
                .into_iter()
                .collect();
        }
        Vec::new()
    }
}

/// The crates of `pli` by edges of these kinds, each as its name and version.
fn tree(checkout: &Checkout, target: &str, edges: &str) -> io::Result<BTreeSet<String>> {
    let arguments = [
        "tree",
        "--package",
        "pli",
        "--target",
        target,
        "--edges",
        edges,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let lines = cargo(checkout, &arguments)?;
    let crates = lines.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        Some(format!("{name} {}", rest.split(' ').next()?))
    });
    Ok(crates.collect())
}

/// SHA-256 of each crate's archive, by its name and version.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let field = |block: &str, name: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    lock.split("[[package]]")
        .filter_map(|block| {
            let key = format!("{} {}", field(block, "name")?, field(block, "version")?);
            Some((key, field(block, "checksum")?))
        })
        .collect()
}

fn cargo(checkout: &Checkout, arguments: &[&str]) -> io::Result<String> {
    let ran = Command::new("cargo")
        .args(arguments)
        .arg("--locked")
        .current_dir(checkout.path(""))
        .output()?;
    if !ran.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&ran.stderr).into_owned()));
    }
    String::from_utf8(ran.stdout).map_err(io::Error::other)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Value {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        document(&Checkout::find().unwrap(), &target).unwrap()
    }

    #[test]
    fn what_pli_is_made_of_is_listed_with_its_sums_and_no_test_tool() {
        let document = made();
        let components: Vec<_> = list(&document["components"]).collect();
        let named = |name: &str| components.iter().find(|component| component["name"] == name);
        assert_eq!(document["metadata"]["component"]["name"], "pli");
        assert_eq!(named("ml-dsa").unwrap()["scope"], "required");
        assert_eq!(
            named("ml-dsa").unwrap()["hashes"][0]["content"].as_str().unwrap().len(),
            64
        );
        assert_eq!(named("cc").unwrap()["scope"], "excluded");
        assert_eq!(named("pli-core").unwrap()["scope"], "required");
        assert!(named("proptest").is_none() && named("pli").is_none());
        for (carrier, inside) in [("aws-lc-sys", "aws-lc"), ("sqlcipher-src", "sqlite")] {
            assert!(
                list(&named(carrier).unwrap()["components"]).any(|part| part["name"] == inside),
                "{carrier}"
            );
        }
        for component in components {
            assert_ne!(component["licenses"][0]["expression"], "", "{component}");
            let is_ours = component["name"].as_str().unwrap().starts_with("pli-");
            assert!(is_ours || component["hashes"].is_array(), "{component}");
        }
    }

    #[test]
    fn every_dependency_leads_to_a_component() {
        let document = made();
        let refs: BTreeSet<_> = list(&document["components"])
            .chain([&document["metadata"]["component"]])
            .map(|component| text(&component["bom-ref"]))
            .collect();
        let from: BTreeSet<_> = list(&document["dependencies"]).map(|node| text(&node["ref"])).collect();
        assert_eq!(from, refs);
        for on in list(&document["dependencies"]).flat_map(|node| list(&node["dependsOn"])) {
            assert!(refs.contains(text(on)), "{on}");
        }
    }
}
