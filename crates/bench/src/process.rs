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
        let stat = self.read("stat")?;
        // The name of the program, in brackets, may hold anything.
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_reads_its_own_figures() {
        let process = Process(std::process::id());
        let memory = process.memory().expect("memory");
        assert!(memory.peak >= memory.resident && memory.resident > 0.0);
        process.cpu().expect("CPU time");
    }
}
