//! `/proc/<pid>/cgroup`: the pod and the container that a process belongs to.
//!
//! Understood are cgroup v1 and v2, the cgroupfs and the systemd driver, containerd, CRI-O and Docker, whatever stands
//! before (a rootless or nested kubelet) or after it (groups that the container made for itself), and paths relative to
//! the reader's own cgroup namespace (`/../..`).

/// Where a process belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership<'a> {
    /// UID of the pod, with dashes, as the API server spells it. Unknown for a container of the reader's own pod when the
    /// path is relative, and for a container that no kubelet started.
    pub pod_uid: Option<String>,
    /// The container runtime's id of the container: 64 hex digits.
    pub container_id: &'a str,
}

/// Reads the file. `None` for a process that is in no container.
pub fn membership(file: &[u8]) -> Option<Membership<'_>> {
    let mut without_pod = None;
    for line in file.split(|byte| *byte == b'\n') {
        let path = line.splitn(3, |byte| *byte == b':').nth(2).and_then(|path| std::str::from_utf8(path).ok());
        match path.and_then(of_path) {
            Some(found) if found.pod_uid.is_some() => return Some(found),
            Some(found) => without_pod = without_pod.or(Some(found)),
            None => {}
        }
    }
    without_pod
}

/// The outermost pod of a path and the first container in it.
fn of_path(path: &str) -> Option<Membership<'_>> {
    // A colon separates the parts where containerd was told of systemd paths but not to use systemd.
    let parts = || path.split(['/', ':']);
    match parts().enumerate().find_map(|(index, part)| Some((index, pod(part)?))) {
        Some((index, uid)) => {
            let container_id = parts().skip(index + 1).find_map(container)?;
            Some(Membership { pod_uid: Some(uid), container_id })
        }
        None => Some(Membership { pod_uid: None, container_id: parts().find_map(container)? }),
    }
}

/// `pod<uid>` of the cgroupfs driver, or `kubepods-burstable-pod<uid with _>.slice` of the systemd driver.
fn pod(part: &str) -> Option<String> {
    let uid = match part.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod").map_or_else(|| slice.strip_prefix("pod"), |(_, uid)| Some(uid))?,
        None => part.strip_prefix("pod")?,
    };
    // Pods from a node's own files have a hash for a UID, without dashes.
    let plausible =
        matches!(uid.len(), 32 | 36) && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_'));
    plausible.then(|| uid.replace('_', "-"))
}

/// `<id>` of the cgroupfs driver, or `<runtime>-<id>.scope` of the systemd driver.
fn container(part: &str) -> Option<&str> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let (runtime, id) = part.rsplit_once('-').unwrap_or(("", part));
    // `conmon` is the runtime's watcher, beside the container and not in it.
    let plausible = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && !runtime.ends_with("conmon");
    plausible.then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::membership;

    const UID: &str = "0b1f8d4e-6c3a-4d52-9e7f-1a2b3c4d5e6f";
    const SLICE: &str = "pod0b1f8d4e_6c3a_4d52_9e7f_1a2b3c4d5e6f.slice";
    const ID: &str = "3f1c5a7e9b2d4f6081a3c5e7092b4d6f8a1c3e5f708192a3b4c5d6e7f8091a2b";

    fn finds(file: &str, pod: Option<&str>) {
        let found = membership(file.as_bytes()).unwrap_or_else(|| panic!("nothing in {file}"));
        assert_eq!((found.pod_uid.as_deref(), found.container_id), (pod, ID), "{file}");
    }

    #[test]
    fn both_versions_both_drivers_and_all_runtimes_are_understood() {
        for quality in ["", "/burstable", "/besteffort"] {
            let path = format!("/kubepods{quality}/pod{UID}/{ID}");
            finds(&format!("0::{path}\n"), Some(UID));
            finds(&format!("12:cpu,cpuacct:{path}\n11:memory:{path}\n1:name=systemd:{path}\n0::/\n"), Some(UID));
        }
        for runtime in ["cri-containerd", "crio", "docker", "libpod"] {
            for (parent, prefix) in [("", "kubepods"), ("kubepods-burstable.slice/", "kubepods-burstable")] {
                let path = format!("/kubepods.slice/{parent}{prefix}-{SLICE}/{runtime}-{ID}.scope");
                finds(&format!("0::{path}\n"), Some(UID));
                finds(&format!("4:pids:/\n3:name=systemd:{path}\n"), Some(UID));
            }
        }
    }

    #[test]
    fn what_stands_before_and_after_does_not_matter() {
        let outer = "9".repeat(64);
        for before in ["/user.slice/user-1000.slice/user@1000.service", &format!("/docker/{outer}/kubelet"), ""] {
            finds(&format!("0::{before}/kubepods/burstable/pod{UID}/{ID}/init.scope"), Some(UID));
            finds(&format!("0::{before}/kubelet.slice/kubelet-kubepods-{SLICE}/cri-containerd-{ID}.scope"), Some(UID));
        }
        finds(&format!("0::/kubepods/pod{UID}/{ID}/docker/{outer}"), Some(UID));
        finds(&format!("0::/kubepods/pod{UID}/{ID}/kubepods/pod{}/{outer}", "f".repeat(32)), Some(UID));
        finds(&format!("0::/system.slice/containerd.service/kubepods-{SLICE}:cri-containerd:{ID}"), Some(UID));
        finds(&format!("0::/kubepods/pod{}/{ID}", "a".repeat(32)), Some(&"a".repeat(32)));
    }

    #[test]
    fn paths_relative_to_the_readers_own_group_are_understood() {
        finds(&format!("0::/../../pod{UID}/{ID}"), Some(UID));
        finds(
            &format!("0::/../../../kubepods-besteffort.slice/kubepods-besteffort-{SLICE}/crio-{ID}.scope"),
            Some(UID),
        );
        finds(&format!("0::/../cri-containerd-{ID}.scope"), None);
        finds(&format!("0::/../{ID}"), None);
        finds(&format!("0::/system.slice/docker-{ID}.scope"), None);
    }

    #[test]
    fn what_is_no_container_is_none() {
        let conmon = format!("0::/kubepods.slice/kubepods-{SLICE}/crio-conmon-{ID}.scope");
        let pod = format!("0::/kubepods/pod{UID}");
        for file in ["", "0::/", "0::/init.scope", "1:name=systemd:/user.slice", "garbage", &conmon, &pod] {
            assert_eq!(membership(file.as_bytes()), None, "{file}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            membership(&bytes);
        }

        #[test]
        fn no_likely_bytes_make_it_panic(text in "[0-9:/.a-f_-]{0,40}(pod|-pod|kubepods)[0-9a-f_/-]{0,110}(.slice|.scope)?") {
            membership(text.as_bytes());
        }
    }
}
