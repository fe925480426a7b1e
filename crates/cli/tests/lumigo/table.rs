//! The table in `README.md`.

use crate::support::Table;

const TABLE: Table = Table { text: include_str!("README.md"), suite: "lumigo" };

#[test]
fn every_test_that_the_table_names_exists() {
    TABLE.names_tests_that_exist();
}

#[test]
fn every_test_of_this_suite_is_in_the_table() {
    TABLE.names_every_test_of_its_suite();
}
