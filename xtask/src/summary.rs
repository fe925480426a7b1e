//! Reads what `cargo test` prints and sums it up.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use console::style;

/// What one program of tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Suite {
    name: String,
    passed: usize,
    failed: usize,
    ignored: usize,
    /// The tests that said that they were skipped, each with its reason. The test harness takes them for passed.
    skipped: BTreeMap<String, String>,
    /// As printed, such as `1.25s`; empty where the program ended without a result.
    time: String,
}

/// What all tests came to.
#[derive(Debug, Default)]
pub struct Summary {
    suites: Vec<Suite>,
    failed: Vec<String>,
}

impl Summary {
    /// Takes in a line, without colours.
    pub fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(name) = suite_name(line) {
            self.suites.push(Suite { name, ..Suite::default() });
            return;
        }
        let Some(suite) = self.suites.last_mut() else {
            return;
        };
        // Where tests run one by one, it stands behind the name of the test.
        if let Some((name, reason)) = line.split_once("skipped: ").and_then(|(_, rest)| rest.split_once(": ")) {
            suite.skipped.insert(name.to_owned(), reason.to_owned());
            return;
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            let count = |what: &str| count(result, what);
            (suite.passed, suite.failed, suite.ignored) = (count("passed"), count("failed"), count("ignored"));
            suite.passed = suite.passed.saturating_sub(suite.skipped.len());
            suite.time = result.rsplit(' ').next().unwrap_or_default().to_owned();
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failed.push(format!("{}: {name}", suite.name));
        }
    }

    /// A line for each program that had tests to run.
    pub fn table(&self) -> String {
        let shown = |suite: &&Suite| {
            suite.time.is_empty() || suite.passed + suite.failed + suite.ignored + suite.skipped.len() > 0
        };
        let width = self.suites.iter().filter(shown).map(|suite| suite.name.len()).max().unwrap_or_default();
        let mut table = String::new();
        for suite in self.suites.iter().filter(shown) {
            let failed = match suite.failed {
                0 if suite.time.is_empty() => style("ended without a result".to_owned()).red(),
                0 => style(String::new()),
                failed => style(format!("{failed} failed")).red(),
            };
            let passed = format!("{} passed", suite.passed);
            let _ = writeln!(table, "  {:<width$}  {passed:>12}  {:>9}  {failed}", suite.name, suite.time);
            for (name, reason) in &suite.skipped {
                let _ = writeln!(table, "    {} {name}: {reason}", style("skipped").yellow());
            }
        }
        table
    }

    /// The sum in words.
    pub fn total(&self) -> String {
        let sum = |count: fn(&Suite) -> usize| self.suites.iter().map(count).sum::<usize>();
        let mut words = vec![format!("{} passed", sum(|suite| suite.passed))];
        let further = [
            (sum(|suite| suite.failed), "failed"),
            (sum(|suite| suite.ignored), "ignored"),
            (sum(|suite| suite.skipped.len()), "skipped"),
        ];
        words
            .extend(further.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        words.join(", ")
    }

    /// The failed tests, each on a line of its own.
    pub fn failures(&self) -> String {
        self.failed.iter().map(|name| format!("\n  {name}")).collect()
    }
}

/// The program that a line announces: `Running tests/a.rs (target/debug/deps/a-0123)` or `Doc-tests a`.
fn suite_name(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name}, documentation"));
    }
    let (what, program) = line.strip_prefix("Running ")?.split_once(" (")?;
    let file = program.trim_end_matches(')').rsplit('/').next()?;
    let name = file.rsplit_once('-').map_or(file, |(name, _hash)| name);
    Some(if what.starts_with("unittests ") { format!("{name}, units") } else { what.to_owned() })
}

/// The number before a word, as in `3 passed`.
fn count(result: &str, what: &str) -> usize {
    let mut words = result.split([' ', ';', '.']).filter(|word| !word.is_empty());
    let mut before = "";
    words
        .find_map(|word| {
            if word == what {
                before.parse().ok()
            } else {
                before = word;
                None
            }
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Summary;

    const OUTPUT: &str = "\
     Running unittests src/lib.rs (target/debug/deps/epiphyte_api-0123)
test names::tests::a_name ... ok
test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s
     Running tests/plane.rs (target/debug/deps/plane-4567)
test it_starts ... FAILED
skipped: it_needs_a_node: it takes root
test it_needs_a_node ... ok
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 61.20s
     Running tests/crash.rs (target/debug/deps/crash-4567)
   Doc-tests epiphyte_api
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn summary() -> Summary {
        let mut summary = Summary::default();
        OUTPUT.lines().for_each(|line| summary.read(line));
        summary
    }

    #[test]
    fn the_sum_counts_every_program() {
        assert_eq!(summary().total(), "5 passed, 1 failed, 1 ignored, 1 skipped");
    }

    #[test]
    fn failed_tests_are_named_with_their_program() {
        assert_eq!(summary().failures(), "\n  tests/plane.rs: it_starts");
    }

    #[test]
    fn a_program_that_crashed_is_shown_and_one_without_tests_is_not() {
        let table = summary().table();
        assert!(table.contains("ended without a result"), "{table}");
        assert!(!table.contains("documentation"), "{table}");
        assert_eq!(table.lines().count(), 4, "{table}");
    }

    #[test]
    fn a_test_that_was_skipped_is_shown_with_its_reason() {
        let table = console::strip_ansi_codes(&summary().table()).into_owned();
        assert!(table.contains("skipped it_needs_a_node: it takes root"), "{table}");
    }
}
