//! Looks at processes.

/// The processes, living ones only, that have this text in their command line.
pub fn processes_about(text: &str) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").expect("read /proc").flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            *pid != std::process::id() && String::from_utf8_lossy(&line).contains(text)
        })
        .collect()
}

/// The process that started another one.
pub fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("read stat");
    // The fields after the name, which may hold anything but ends at the last parenthesis.
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    rest.split(' ').nth(1).and_then(|ppid| ppid.parse().ok()).expect("a parent")
}
