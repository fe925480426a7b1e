//! The tables in the manual: they name tests that exist, and all of these.

use std::path::{Path, PathBuf};

const MANUAL: &str = include_str!("../../../../docs/reference/telemetry-proxy.md");

/// The folder of this suite.
fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/telemetry_proxy")
}

/// The tests that the tables name: `file.rs::test`, the file in this folder or else below `crates`.
fn named() -> Vec<(&'static str, &'static str)> {
    MANUAL.split('`').filter_map(|text| text.split_once("::")).filter(|(file, _)| file.ends_with(".rs")).collect()
}

#[test]
fn every_test_that_the_manual_names_exists() {
    let named = named();
    assert!(named.len() > 40, "the tables name tests: {named:?}");
    for (file, test) in named {
        let here = suite().join(file);
        let path = if here.exists() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file) };
        let code = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (head, _) = code.split_once(&format!("fn {test}()")).unwrap_or_else(|| panic!("{file} has no test {test}"));
        assert!(head.trim_end().ends_with("#[test]"), "{file}: {test} is no test");
    }
}

#[test]
fn every_test_of_this_suite_is_named_in_the_manual() {
    let named = named();
    for entry in std::fs::read_dir(suite()).expect("the suite") {
        let path = entry.expect("a file").path();
        let file = path.file_name().and_then(|name| name.to_str()).expect("text").to_owned();
        if !file.ends_with(".rs") || file == "table.rs" {
            continue;
        }
        let code = std::fs::read_to_string(&path).expect("a file of the suite");
        for test in code.split("#[test]\nfn ").skip(1).filter_map(|text| text.split_once("() {")) {
            assert!(named.contains(&(&*file, test.0)), "{file}::{} is not in the manual", test.0);
        }
    }
}
