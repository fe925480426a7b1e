//! How long to wait before another try.

use std::time::Duration;

/// A wait that doubles from try to try, up to a longest.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    /// The wait after the next failure.
    next: Duration,
}

impl Backoff {
    /// Waits in milliseconds.
    pub const fn new(first: u64, longest: u64) -> Self {
        let (first, longest) = (Duration::from_millis(first), Duration::from_millis(longest));
        Self { first, longest, next: first }
    }

    /// How long to wait after a failure.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait
    }

    /// After a success the next wait is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;

    #[test]
    fn waits_double_up_to_the_longest_until_all_is_well() {
        let mut backoff = Backoff::new(100, 500);
        let waits: Vec<u128> = (0..5).map(|_| backoff.wait().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 500, 500]);
        backoff.reset();
        assert_eq!(backoff.wait().as_millis(), 100);
    }
}
