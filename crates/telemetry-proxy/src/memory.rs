//! How much memory there is, and how it is shared out: the limit of the cgroup, of either version.

use std::path::Path;

/// MiB.
const MIB: u64 = 1 << 20;

/// What the two Collectors get where nothing limits the memory, in bytes.
const UNLIMITED: u64 = 1024 * MIB;

/// From here on, a limit is the way in which version 1 says that there is none.
const NO_LIMIT: u64 = 1 << 60;

/// The memory of a Collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From where on Go collects garbage with all its might (`GOMEMLIMIT`), and the Collector refuses what comes: in MiB.
    pub limit_mib: u64,
}

impl Share {
    /// Of the whole that is to be had, for *traffic*: 60 %, of which a fifth is left for what Go does not count.
    pub fn of_traffic(limit: Option<u64>) -> Self {
        Self::of(limit, 60)
    }

    /// Of the whole, for *events*: 25 %. The rest is for the supervisor, and for a Collector that checks a configuration.
    pub fn of_events(limit: Option<u64>) -> Self {
        Self::of(limit, 25)
    }

    fn of(limit: Option<u64>, percent: u64) -> Self {
        let bytes = limit.unwrap_or(UNLIMITED) / 100 * percent / 100 * 80;
        // A Collector needs this to start at all.
        Self { limit_mib: (bytes / MIB).max(32) }
    }

    /// How much may come between two looks at the memory, in MiB.
    pub fn spike_mib(self) -> u64 {
        self.limit_mib / 5
    }

    /// The value of `GOMEMLIMIT`.
    pub fn for_go(self) -> String {
        format!("{}MiB", self.limit_mib)
    }
}

/// The memory that this process and its children may take, in bytes; `None` where nothing limits it.
pub fn limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limit_in(Path::new("/sys/fs/cgroup"), &groups)
}

/// The smallest limit of the group of a process, as `/proc/self/cgroup` names it, and of all above it.
fn limit_in(mount: &Path, groups: &str) -> Option<u64> {
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, Some(group)) = (parts.next(), parts.next().unwrap_or_default(), parts.next()) else {
            continue;
        };
        let (root, file) = if controllers.is_empty() {
            (mount.to_owned(), "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            (mount.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        // In a container the group's folder is often the mount itself, and what the path names is not to be seen.
        let group = Path::new(group.trim_start_matches('/'));
        limits.extend(group.ancestors().filter_map(|group| read(&root.join(group).join(file))));
    }
    limits.into_iter().min()
}

/// The limit in a file; `max`, what cannot be read, and what stands for none are no limit.
fn read(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok().filter(|limit| *limit < NO_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("it is made");
        std::fs::write(file, text).expect("it is written");
    }

    #[test]
    fn version_2_counts_with_the_smallest_limit_above() {
        let mount = tempfile::tempdir().expect("a folder");
        write(mount.path(), "pod/container/memory.max", "max\n");
        write(mount.path(), "pod/memory.max", "536870912\n");
        write(mount.path(), "memory.max", "1073741824\n");
        assert_eq!(limit_in(mount.path(), "0::/pod/container\n"), Some(512 * MIB));
        assert_eq!(limit_in(mount.path(), "0::/\n"), Some(1024 * MIB));
    }

    #[test]
    fn max_is_no_limit_and_not_zero() {
        let mount = tempfile::tempdir().expect("a folder");
        write(mount.path(), "memory.max", "max\n");
        assert_eq!(limit_in(mount.path(), "0::/\n"), None);
        assert_eq!(limit_in(mount.path(), ""), None);
        assert_eq!(Share::of_traffic(None), Share::of_traffic(Some(UNLIMITED)));
    }

    #[test]
    fn version_1_is_read_where_its_controller_is_and_from_the_mount_where_its_path_is_not_seen() {
        let mount = tempfile::tempdir().expect("a folder");
        write(mount.path(), "memory/memory.limit_in_bytes", "268435456\n");
        let groups = "12:cpu,cpuacct:/a\n7:memory:/kubepods/pod1\n0::/\n";
        assert_eq!(limit_in(mount.path(), groups), Some(256 * MIB));
        write(mount.path(), "memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit_in(mount.path(), groups), None);
    }

    #[test]
    fn the_shares_leave_room_for_what_go_does_not_count() {
        let (traffic, events) = (Share::of_traffic(Some(512 * MIB)), Share::of_events(Some(512 * MIB)));
        assert_eq!((traffic.limit_mib, traffic.spike_mib(), events.limit_mib), (245, 49, 102));
        assert_eq!(traffic.for_go(), "245MiB");
        assert_eq!(Share::of_events(Some(MIB)).limit_mib, 32);
    }
}
