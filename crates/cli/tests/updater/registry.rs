//! Charts of a registry.

use std::process::Command;

use epiphyte_testbed::programs;

use super::charts::Chart;
use super::scene::{Garden, SCENE, said};
use super::support::eventually;

#[test]
fn a_chart_comes_from_a_registry_as_it_does_from_a_repository() {
    let garden = Garden::new("registry");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("settings.yaml");
    let store = folder.path().join("store").display().to_string();
    // It finds a port itself, so that it is never the registry of another run that is asked.
    let text =
        format!("version: 0.1\nstorage: {{filesystem: {{rootdirectory: {store}}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n");
    std::fs::write(&settings, text).expect("settings");
    let mut command = Command::new(programs::registry().expect("a registry"));
    command.arg("serve").arg(&settings).env("OTEL_TRACES_EXPORTER", "none");
    let address = SCENE.block_on(async |cluster| {
        let registry = cluster.plane.run("registry", &command).await.expect("the registry runs");
        let address = async || {
            let log = std::fs::read_to_string(registry.log()).ok()?;
            let (_, rest) = log.split_once("listening on ")?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        eventually("the registry listens", address).await
    });

    let chart = format!("oci://{address}/charts/plant");
    let nothing = said(garden.command_with(&["--chart", &chart]));
    nothing.is("RepositoryUnavailable");
    for version in ["0.1.1", "0.2.0", "0.3.0-rc.1"] {
        let archive = Chart::new(version).package(&SCENE, folder.path()).display().to_string();
        SCENE.helm(&["push", &archive, &format!("oci://{address}/charts"), "--plain-http"]);
    }
    for (range, to) in [("~0.1.0", "0.1.1"), (">=0.3.0-0", "0.3.0-rc.1")] {
        let planned = said(garden.command_with(&["--chart", &chart, "--version", range, "--dry-run"]));
        planned.is("Planned");
        assert_eq!(planned.json()["to"], to, "{range}");
    }
    let excluded = said(garden.command_with(&["--chart", &chart, "--version", "^1"]));
    excluded.is("NoVersion");
    let digest = format!("sha256:{}", "0".repeat(64));
    said(garden.command_with(&["--chart", &chart, "--digest", &digest])).is("ChartRefused");
    let unsigned = said(garden.command_with(&["--chart", &chart, "--keyring", "any"]));
    unsigned.is("ChartRefused");
    assert!(unsigned.why().contains("is not signed"), "{}", unsigned.why());

    said(garden.command_with(&["--chart", &chart])).is("Updated");
    assert_eq!(garden.config("version").as_deref(), Some("0.2.0"));
    said(garden.command_with(&["--chart", &chart])).is("UpToDate");

    let down = said(garden.command_with(&["--chart", "oci://127.0.0.1:1/charts/plant"]));
    down.is("RepositoryUnavailable");
}
