//! A table that says which test shows what: it names tests that exist, and all of its suite.

use std::path::{Path, PathBuf};

/// A table, and the folder below `tests` of the suite that it is about.
pub struct Table {
    pub text: &'static str,
    pub suite: &'static str,
}

impl Table {
    /// The tests that it names: `file.rs::test`, the file of the suite or else below `crates`.
    fn named(&self) -> Vec<(&'static str, &'static str)> {
        self.text
            .split('`')
            .filter_map(|text| text.split_once("::"))
            .filter(|(file, _)| file.ends_with(".rs"))
            .collect()
    }

    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(self.suite)
    }

    /// Fails if a test that it names does not exist.
    pub fn names_tests_that_exist(&self) {
        let named = self.named();
        assert!(named.len() > 40, "the table names tests: {named:?}");
        for (file, test) in named {
            let here = self.folder().join(file);
            let path = if here.exists() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file) };
            let code = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
            let found = code.split_once(&format!("fn {test}()"));
            let (head, _) = found.unwrap_or_else(|| panic!("{file} has no test {test}"));
            let attribute =
                head.trim_end().trim_end_matches("async").trim_end().lines().next_back().unwrap_or_default().trim();
            assert!(attribute == "#[test]" || attribute.starts_with("#[tokio::test"), "{file}: {test} is no test");
        }
    }

    /// Fails if it does not name a test of its suite.
    pub fn names_every_test_of_its_suite(&self) {
        let named = self.named();
        for entry in std::fs::read_dir(self.folder()).expect("the suite") {
            let path = entry.expect("a file").path();
            let file = path.file_name().and_then(|name| name.to_str()).expect("text").to_owned();
            if !file.ends_with(".rs") || file == "table.rs" {
                continue;
            }
            let code = std::fs::read_to_string(&path).expect("a file of the suite");
            let tests =
                code.split("#[test]\nfn ").chain(code.split("#[tokio::test(flavor = \"multi_thread\")]\nasync fn "));
            let names = tests.filter_map(|text| Some(text.split_once("() {")?.0));
            for test in names.filter(|name| !name.contains([' ', '\n'])) {
                assert!(named.contains(&(&file, test)), "{file}::{test} is not in the table");
            }
        }
    }
}
