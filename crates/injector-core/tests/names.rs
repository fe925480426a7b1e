//! What a template sets is what the library reads: the two crates share no code, so that the library stays small.

use epiphyte_api::names;
use epiphyte_injector_core::Variable;

#[test]
fn the_variables_of_templates_are_read_by_their_names() {
    let pairs = [
        (names::TRACER_TOKEN, Variable::Token),
        (names::ENDPOINT, Variable::Endpoint),
        (names::LOGS_ENDPOINT, Variable::LogsEndpoint),
        (names::ENABLE_TRACES, Variable::EnableTraces),
        (names::ENABLE_LOGS, Variable::EnableLogs),
        (names::CONTAINER_NAME, Variable::ContainerName),
    ];
    for (name, variable) in pairs {
        assert_eq!(variable.name(), name);
    }
}
