//! Fuzzes what the injector makes of an environment: a child that inherits it has nothing to change.
#![no_main]

use epiphyte_injector_core::{Changes, Facts, Host, Identity, Runtime, Variable, Variables, merge, root_of};
use libfuzzer_sys::fuzz_target;

/// Separates the parts of the input: a byte that no text in UTF-8 has.
const SEPARATOR: u8 = 0xff;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == SEPARATOR);
    let mut part = || parts.next().unwrap_or_default();
    let (program, root, environment, identity, host, hosts, namespace) =
        (part(), part(), part(), part(), part(), part(), part());
    let Some(runtime) = Runtime::of(program) else { return };
    // A root that would have to be quoted is never taken.
    let library = [root, b"/injector/injector.so"].concat();
    let Some(root) = root_of(&library) else { return };
    let environment: Vec<Vec<u8>> = environment.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    let variables = Variables::gather(environment.iter().map(Vec::as_slice));
    let facts = Facts {
        runtime,
        root,
        variables: &variables,
        identity: Identity(identity),
        host: Host::of(host, hosts),
        namespace,
    };
    let mut memory = vec![0; 64 * 1024];
    let Some(changes) = merge(&facts, &mut memory) else { return };

    let inherited = apply(&environment, changes);
    let variables = Variables::gather(inherited.iter().map(Vec::as_slice));
    let mut memory = vec![0; 64 * 1024];
    if let Some(changes) = merge(&Facts { variables: &variables, ..facts }, &mut memory) {
        let changed: Vec<_> = changes.variables().map(Variable::name).collect();
        assert!(changed.is_empty(), "a child changes {changed:?}");
    }
});

/// The environment with the entries that change in the place of those that were there.
fn apply(environment: &[Vec<u8>], mut changes: Changes<'_>) -> Vec<Vec<u8>> {
    let mut applied = Vec::new();
    for entry in environment {
        let change = Variable::of(entry).and_then(|variable| changes.take(variable));
        applied.push(change.map_or_else(|| entry.clone(), without_end));
    }
    applied.extend(Variable::ALL.iter().filter_map(|variable| changes.take(*variable)).map(without_end));
    applied
}

/// The entry without the zero byte at its end.
fn without_end(entry: &[u8]) -> Vec<u8> {
    entry.strip_suffix(b"\0").unwrap_or(entry).to_vec()
}
