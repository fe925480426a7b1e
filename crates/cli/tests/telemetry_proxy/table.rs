//! The tables in the manual.

use crate::support::Table;

const MANUAL: Table =
    Table { text: include_str!("../../../../docs/reference/telemetry-proxy.md"), suite: "telemetry_proxy" };

#[test]
fn every_test_that_the_manual_names_exists() {
    MANUAL.names_tests_that_exist();
}

#[test]
fn every_test_of_this_suite_is_named_in_the_manual() {
    MANUAL.names_every_test_of_its_suite();
}
