//! Builds an image from its context, without a daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use epiphyte_testbed::debian;

use crate::command;
use crate::step::Step;

/// The program and the libraries that it needs and a host may lack.
const PACKAGES: [&str; 9] = [
    "buildah",
    "libassuan0",
    "libdevmapper1.02.1",
    "libgpg-error0",
    "libgpgme11",
    "libpcre2-8-0",
    "libseccomp2",
    "libselinux1",
    "libudev1",
];

/// Debian's buildah, unpacked.
pub struct Buildah {
    root: PathBuf,
}

impl Buildah {
    /// Debian's buildah; unpacks it into the cache first where it is not there.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn get(step: &mut Step) -> Result<Self> {
        Ok(Self { root: debian::tool("buildah", &PACKAGES, &mut |line| step.at(line))? })
    }

    /// Builds the Dockerfile of a context folder into an OCI archive that names the image. What it writes on the way
    /// goes into a scratch folder. A Dockerfile can have no `RUN`: buildah starts itself for that, without the path of its
    /// libraries.
    ///
    /// # Errors
    /// The Dockerfile is wrong, or this user may not: buildah needs root.
    pub fn build(&self, step: &mut Step, context: &Path, scratch: &Path, image: &str, archive: &Path) -> Result<()> {
        ensure!(rustix::process::geteuid().is_root(), "images are built as root");
        let policy = scratch.join("policy.json");
        fs::write(&policy, r#"{"default": [{"type": "insecureAcceptAnything"}]}"#)?;
        let registries = scratch.join("registries.conf");
        fs::write(&registries, "")?;
        let settings = scratch.join("containers.conf");
        fs::write(&settings, format!("[network]\nnetwork_config_dir = \"{}\"\n", scratch.join("networks").display()))?;
        // It keeps notes below /var/lib, whatever it is told: there is one of its own, for as long as it runs.
        let mut build = Command::new("unshare");
        build.args(["--mount", "sh", "-c", r#"mount -t tmpfs tmpfs /var/lib && exec "$0" "$@""#]);
        build.arg(self.root.join("usr/bin/buildah"));
        build.args(["--storage-driver", "vfs"]).arg("--root").arg(scratch.join("storage"));
        build.arg("--runroot").arg(scratch.join("run")).args(["build", "--isolation", "chroot", "--layers=false"]);
        // The same content gives the same image.
        build.args(["--timestamp", "0"]).arg("--signature-policy").arg(&policy);
        build.arg("--tag").arg(format!("oci-archive:{}:{image}", archive.display())).arg(context);
        build.env("LD_LIBRARY_PATH", debian::libraries(&self.root)).env("CONTAINERS_REGISTRIES_CONF", &registries);
        build.env("CONTAINERS_CONF", &settings);
        build.env("TMPDIR", scratch);
        command::run(step, build).with_context(|| format!("{image} cannot be built"))
    }
}
