//! The programs of a node that Kubernetes does not bring along.

use std::path::PathBuf;

use crate::programs::progress::Progress;
use crate::{Error, Result, cache, debian, programs};

/// The container runtime, the plugins for its networks, what kube-proxy writes its rules with, and the libraries of these.
const PACKAGES: [&str; 12] = [
    "containerd",
    "containernetworking-plugins",
    "iptables",
    "libip4tc2",
    "libip6tc2",
    "libmnl0",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftnl11",
    "libseccomp2",
    "libxtables12",
    "runc",
];

/// The names under which kube-proxy looks for its tool, which the package gives only when it is installed.
const RULE_TOOLS: [&str; 6] =
    ["iptables", "iptables-restore", "iptables-save", "ip6tables", "ip6tables-restore", "ip6tables-save"];

/// Where they are.
#[derive(Debug, Clone)]
pub(in crate::control_plane) struct Tools {
    /// Debian's packages, unpacked.
    pub(super) root: PathBuf,
    /// The DNS server.
    pub(super) dns: PathBuf,
    /// The program that waits.
    pub(super) pause: PathBuf,
}

impl Tools {
    /// Builds and unpacks what the cache does not have yet.
    pub(in crate::control_plane) fn get() -> Result<Self> {
        let mut key = cache::Key::default();
        PACKAGES.iter().chain(&RULE_TOOLS).for_each(|name| key.add(name.as_bytes()));
        let root = cache::once(&cache::folder()?.join("debian"), "node", &key.finish(), |folder| {
            let mut progress = Progress::start("unpacking a container runtime");
            debian::Debian::open()?.unpack(&PACKAGES, folder, &mut |line| progress.at(line))?;
            for name in RULE_TOOLS {
                let link = folder.join("usr/sbin").join(name);
                std::os::unix::fs::symlink("xtables-nft-multi", &link).map_err(Error::file("link", &link))?;
            }
            progress.done();
            Ok::<_, Error>(())
        })?;
        Ok(Self { root, dns: programs::coredns()?, pause: programs::supervise()? })
    }

    /// A program of the packages.
    pub(in crate::control_plane) fn program(&self, name: &str) -> PathBuf {
        self.root.join("usr/bin").join(name)
    }

    /// The variables by which programs find them.
    pub(in crate::control_plane) fn environment(&self) -> [String; 3] {
        let (root, libraries) = (self.root.display(), debian::libraries(&self.root));
        [
            format!("PATH={root}/usr/sbin:{root}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            format!("LD_LIBRARY_PATH={}", libraries.display()),
            format!("XTABLES_LIBDIR={}/xtables", libraries.display()),
        ]
    }
}
