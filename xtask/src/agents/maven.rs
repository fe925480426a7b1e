//! What fetches from Maven's repositories: the machine's, else Debian's, unpacked without being installed.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use epiphyte_testbed::debian;

use crate::command;
use crate::step::Step;

/// Maven and its libraries.
const PACKAGES: [&str; 32] = [
    "libaopalliance-java",
    "libapache-pom-java",
    "libatinject-jsr330-api-java",
    "libcdi-api-java",
    "libcommons-cli-java",
    "libcommons-io-java",
    "libcommons-lang3-java",
    "libcommons-parent-java",
    "liberror-prone-java",
    "libgeronimo-annotation-1.3-spec-java",
    "libgeronimo-interceptor-3.0-spec-java",
    "libguava-java",
    "libguice-java",
    "libjansi-java",
    "libjsr305-java",
    "libmaven-parent-java",
    "libmaven-resolver-java",
    "libmaven-shared-utils-java",
    "libmaven3-core-java",
    "libplexus-cipher-java",
    "libplexus-classworlds-java",
    "libplexus-component-annotations-java",
    "libplexus-interpolation-java",
    "libplexus-sec-dispatcher-java",
    "libplexus-utils2-java",
    "libsisu-inject-java",
    "libsisu-plexus-java",
    "libslf4j-java",
    "libwagon-file-java",
    "libwagon-http-shaded-java",
    "libwagon-provider-api-java",
    "maven",
];

/// The program to call.
///
/// # Errors
/// This machine has none, and Debian's cannot be had.
pub fn program(step: &mut Step) -> Result<PathBuf> {
    if command::has("mvn") {
        return Ok("mvn".into());
    }
    let root =
        debian::tool("maven", &PACKAGES, &mut |line| step.at(line)).context("Maven is needed (Debian: maven)")?;
    Ok(root.join("usr/share/maven/bin/mvn"))
}
