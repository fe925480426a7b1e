//! Where Collectors are: a folder, free ports, and what is rendered for these.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Error, Result};
use epiphyte_telemetry_proxy::render::{Ground, Places};
use epiphyte_telemetry_proxy::settings::Settings;
use epiphyte_telemetry_proxy::{Access, memory};
use epiphyte_testbed::free_address;
use serde_json::json;
use tempfile::TempDir;

/// A place of one's own; its folder goes with it.
pub(super) struct Place {
    folder: TempDir,
    /// What the Collectors' configurations are made of.
    pub(super) ground: Ground,
}

impl Place {
    /// A place from which everything goes to `upstream`.
    pub(super) fn new(upstream: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let settings = json!({
            "cluster": { "name": "bench" },
            "endpoint": { "otlp": { "url": upstream } },
            "listen": {
                "grpc": free_address()?, "http": free_address()?,
                "trafficMetrics": free_address()?.port(), "eventsMetrics": free_address()?.port(),
            },
        })
        .to_string();
        fs::write(folder.path().join("settings.yaml"), &settings)?;
        let places = Places { run: folder.path().join("run"), queue: folder.path().join("queue") };
        let settings = Settings::from_yaml(&settings).map_err(Error::msg)?;
        let ground =
            Ground { settings, access: Access::Kubeconfig, places, memory: memory::limit(), cluster_uid: None };
        Ok(Self { folder, ground })
    }

    /// The settings file.
    pub(super) fn settings(&self) -> PathBuf {
        self.folder.path().join("settings.yaml")
    }

    /// A file of the manager's.
    pub(super) fn of_manager(&self, file: &str) -> PathBuf {
        self.folder.path().join("manager").join(file)
    }

    /// Where spans are sent to.
    pub(super) fn otlp(&self) -> SocketAddr {
        self.ground.settings.listen.http
    }
}
