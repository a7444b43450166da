//! The stage `supply`: what Pli is made of is what `deny.toml` allows, and `cargo xtask sbom` lists it as others read it.

use crate::checkout::Checkout;
use crate::install;
use crate::sbom;
use crate::tally::Tally;

/// Reads the document at `sys.argv[1]` with the schema of CycloneDX 1.6, strictly.
const VALIDATE: &str = "\
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding='utf-8').read())
sys.exit(str(error) if error else 0)
";

/// Two checks.
pub(crate) fn check(checkout: &Checkout) -> Tally {
    let deny = install::program(checkout, "cargo-deny");
    let allowed = checkout.run(
        &deny,
        &["--log-level", "error", "check", "licenses", "sources", "bans"],
        &[],
    );
    let listed = sbom::write(checkout, None).and_then(|path| {
        let path = path.to_string_lossy();
        checkout.run(&install::python(checkout), &["-c", VALIDATE, &path], &[])
    });
    let mut both = Tally::default();
    for (what, ran) in [("cargo deny", allowed), ("CycloneDX", listed)] {
        let tally = Tally::of_status(ran);
        both.passed = both.passed.saturating_add(tally.passed);
        both.failures
            .extend(tally.failures.iter().map(|why| format!("{what}: {why}")));
    }
    both
}
