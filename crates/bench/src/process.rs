//! What a process has used, by its files in /proc.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// A running process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

/// Memory that a process has in RAM, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: f64,
    /// At most, since the program was started.
    pub(crate) peak: f64,
}

impl Process {
    /// CPU time of all its threads so far, for itself and in the kernel. The kernel tells it in ticks of 10 ms.
    pub(crate) fn cpu(self) -> Result<Duration> {
        ticks(self.times()?.into_iter().take(2).sum())
    }

    /// CPU time so far of it and of all processes below it, those included that have ended.
    pub(crate) fn cpu_of_all(self) -> Result<Duration> {
        // Those below first: what ends meanwhile is in the time of the one above.
        let below: Duration = self.children().into_iter().filter_map(|child| child.cpu_of_all().ok()).sum();
        Ok(below + ticks(self.times()?.into_iter().sum())?)
    }

    /// In ticks: its own time, for itself and in the kernel, and that of those that it has waited for.
    fn times(self) -> Result<Vec<u64>> {
        let stat = self.read("stat")?;
        // The name of the program, in brackets, may hold anything.
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        Ok(after_name.split_whitespace().skip(11).take(4).map(str::parse).collect::<Result<_, _>>()?)
    }

    fn children(self) -> Vec<Self> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0)).into_iter().flatten().flatten();
        let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let children = |list: String| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>();
        lists.flat_map(children).map(Self).collect()
    }

    /// Its memory.
    pub(crate) fn memory(self) -> Result<Memory> {
        let status = self.read("status")?;
        let kib = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.split_whitespace().next());
            let number = number.with_context(|| format!("the kernel does not tell {name}"))?;
            Ok(number.parse::<f64>()? * 1024.0)
        };
        Ok(Memory { resident: kib("VmRSS")?, peak: kib("VmHWM")? })
    }

    fn read(self, file: &str) -> Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0)).context("the process is gone")
    }
}

fn ticks(count: u64) -> Result<Duration> {
    Ok(Duration::from_secs(count) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_reads_its_own_figures() {
        let process = Process(std::process::id());
        let memory = process.memory().expect("memory");
        assert!(memory.peak >= memory.resident && memory.resident > 0.0);
        assert!(process.cpu().expect("CPU time") <= process.cpu_of_all().expect("CPU time"));
    }

    #[test]
    fn the_processes_below_one_are_found() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it starts");
        let found = Process(std::process::id()).children();
        child.kill().and_then(|()| child.wait()).expect("it ends");
        assert!(found.iter().any(|process| process.0 == child.id()), "{found:?}");
    }
}
