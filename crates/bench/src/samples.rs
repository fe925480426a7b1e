//! CPU time of a piece of work, and what stands for many such times.

use rustix::time::{ClockId, clock_gettime};

/// CPU time that this thread takes for something, in seconds.
pub(crate) fn cpu(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let start = now();
    work();
    now() - start
}

/// The median.
pub(crate) fn middle(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}
