//! The programs that the test bed runs, built from their Go modules when they are needed first.

mod go;
mod output;
pub(crate) mod progress;

use std::path::{Path, PathBuf};

pub use go::GoProgram;
pub(crate) use output::output;

use crate::Result;

/// The version of Kubernetes that `tools/kubernetes` pins.
pub const KUBERNETES_VERSION: &str = "v1.34.4";

/// A folder with `kube-apiserver`, `kube-controller-manager`, `kube-scheduler`, `kubelet`, `kube-proxy`, `kubectl` and
/// `etcd`; builds them first where that has not been done, which takes minutes and is shown on standard error.
///
/// # Errors
/// When Go is missing, the module does not build, or the cache cannot be written.
pub fn kubernetes() -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/kubernetes");
    let version = |name: &str, value: &str| {
        ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(|at| format!("-X {at}.{name}={value}"))
    };
    let mut ldflags = vec!["-s".to_owned(), "-w".to_owned()];
    ldflags.extend(version("gitVersion", KUBERNETES_VERSION));
    ldflags.extend(version("gitMajor", "1"));
    ldflags.extend(version("gitMinor", "34"));
    ldflags.extend(version("gitTreeState", "clean"));
    GoProgram::new(module, "kubernetes")
        .ldflags(ldflags.join(" "))
        .links([
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        ])
        .hint("6 minutes the first time")
        .build()
}

/// The program that is the DNS server of a cluster.
///
/// # Errors
/// As [`kubernetes`].
pub(crate) fn coredns() -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/coredns");
    Ok(GoProgram::new(module, "coredns").ldflags("-s -w").hint("a minute the first time").build()?.join("coredns"))
}

/// The OpenTelemetry Collector of the telemetry proxy.
///
/// # Errors
/// As [`kubernetes`].
pub fn collector() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../collector");
    let program = GoProgram::new(folder.join("otelcol"), "otelcol").beside(folder.join("tokens")).ldflags("-s -w");
    Ok(program.hint("4 minutes the first time").build()?.join("otelcol"))
}

/// The version of Helm that `tools/helm` pins.
pub const HELM_VERSION: &str = "v3.22.0";

/// Helm.
///
/// # Errors
/// As [`kubernetes`].
pub fn helm() -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/helm");
    let version = format!("-s -w -X helm.sh/helm/v3/internal/version.version={HELM_VERSION}");
    let program = GoProgram::new(module, "helm").package("helm.sh/helm/v3/cmd/helm").ldflags(version);
    Ok(program.hint("2 minutes the first time").build()?.join("helm"))
}

/// The registry of the distribution project, for what is fetched by OCI.
///
/// # Errors
/// As [`kubernetes`].
pub fn registry() -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/registry");
    let program = GoProgram::new(module, "registry").package("github.com/distribution/distribution/v3/cmd/registry");
    Ok(program.ldflags("-s -w").hint("2 minutes the first time").build()?.join("registry"))
}

/// The program that runs the processes of a test and takes them along when the test ends, however it does.
///
/// # Errors
/// As [`kubernetes`].
pub(crate) fn supervise() -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("supervise");
    Ok(GoProgram::new(module, "supervise").ldflags("-s -w").build()?.join("supervise"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_versions_told_are_those_that_the_modules_pin() {
        let module = include_str!("../../../tools/kubernetes/go.mod");
        assert!(module.contains(&format!("k8s.io/kubernetes {}\n", super::KUBERNETES_VERSION)));
        let module = include_str!("../../../tools/helm/go.mod");
        assert!(module.contains(&format!("\thelm.sh/helm/v3 {} ", super::HELM_VERSION)));
    }

    #[test]
    fn the_collectors_sources_have_the_components_of_its_manifest() {
        let manifest = include_str!("../../../collector/manifest.yaml");
        let module = include_str!("../../../collector/otelcol/go.mod");
        let components: Vec<&str> =
            manifest.lines().filter_map(|line| line.trim_start().strip_prefix("- gomod: ")).collect();
        assert!(components.len() > 8, "{components:?}");
        for component in components {
            assert!(
                module.contains(&format!("\t{component}\n")),
                "{component}: run `cargo xtask generate --collector`"
            );
        }
    }
}
