//! The table in `README.md`: it names tests that exist.

use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("README.md");

/// Where tests that the table names are, from the folder of the repository's crates.
fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tests that the table names: `file.rs::test`, the file below this folder or else below `crates`.
fn named() -> Vec<(&'static str, &'static str)> {
    TABLE.split('`').filter_map(|text| text.split_once("::")).filter(|(file, _)| file.ends_with(".rs")).collect()
}

#[test]
fn every_test_that_the_table_names_exists() {
    let named = named();
    assert!(named.len() > 40, "the table names tests: {named:?}");
    for (file, test) in named {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lumigo").join(file);
        let path = if here.exists() { here } else { crates().join(file) };
        let code = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (head, _) = code.split_once(&format!("fn {test}()")).unwrap_or_else(|| panic!("{file} has no test {test}"));
        let attributes = head.rsplit("\n\n").next().unwrap_or_default();
        assert!(attributes.contains("#[test]") || attributes.contains("#[tokio::test"), "{file}: {test} is no test");
    }
}

#[test]
fn every_test_of_this_suite_is_in_the_table() {
    let named = named();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lumigo");
    for entry in std::fs::read_dir(folder).expect("the suite") {
        let path = entry.expect("a file").path();
        let file = path.file_name().and_then(|name| name.to_str()).expect("text").to_owned();
        if !file.ends_with(".rs") || file == "table.rs" {
            continue;
        }
        let code = std::fs::read_to_string(&path).expect("a file of the suite");
        let tests =
            code.split("#[test]\nfn ").chain(code.split("#[tokio::test(flavor = \"multi_thread\")]\nasync fn "));
        for test in tests.filter_map(|text| Some(text.split_once("() {")?.0)).filter(|name| !name.contains([' ', '\n']))
        {
            assert!(named.contains(&(&file, test)), "{file}::{test} is not in the table");
        }
    }
}
