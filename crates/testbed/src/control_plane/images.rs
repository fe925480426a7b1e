//! Images for the node.

use std::path::Path;
use std::process::Command;

use super::{ControlPlane, node};
use crate::{Error, Result};

impl ControlPlane {
    /// Loads an image archive, of OCI or as `docker save` writes it, under the names that it has inside.
    ///
    /// # Errors
    /// When there is no node, or the archive is not one.
    pub async fn load_image(&self, archive: &Path) -> Result<()> {
        let no_node = || Error::NoNode { why: "this control plane was built without one".to_owned() };
        let tools = self.tools.as_ref().ok_or_else(no_node)?;
        let mut import = Command::new(tools.program("ctr"));
        import.arg(format!("--address={}", node::runtime_socket(self.folder()).display()));
        import.args(["--namespace=k8s.io", "images", "import", "--no-unpack=false"]).arg(archive);
        let name = format!("import-{}", archive.file_stem().unwrap_or_default().display());
        let import = self.run(&name, &import).await?;
        let how = import.ended().await?;
        if how == "exit status 0" {
            return Ok(());
        }
        let said = std::fs::read_to_string(import.log()).unwrap_or_default();
        Err(Error::Program {
            command: format!("ctr images import {}", archive.display()),
            problem: format!("{how}: {}", said.trim()),
        })
    }
}
