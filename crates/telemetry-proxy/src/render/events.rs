//! The configuration of *events*: the Kubernetes Events of each monitored namespace go out under that namespace's token.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{
    Configuration, Exporter, Literal, Parts, Pipeline, Processor, Receiver, Route, Routing, Secret, SendingQueue,
    Service, Watched,
};
use super::{
    Ground, MEMORY_LIMITER, RETRY, SCHEME, STORAGE, cluster_name, memory_limiter, signal, storage, telemetry, to_bytes,
};
use crate::input::{Namespace, Token, UID, digest};
use crate::memory::Share;

/// The most tokens that Events are sent under: each has an exporter, with a queue and a connection of its own.
pub const MAX_TOKENS: usize = 500;

const OBJECTS: &str = "k8sobjects";
const SHAPE: &str = "transform";
const UIDS: &str = "transform/uids";
const ROUTING: &str = "routing";

/// What waits for being sent under one token.
const QUEUE_SIZE: u64 = 16 << 20;

/// How often all Events are listed beside the watch. They live for an hour, so that each is in one list at least, whatever the watch
/// has missed. What it is known to have missed is listed at once.
const INTERVAL: &str = "30m";

/// One shape for what was watched, which is wrapped, and what was listed; and what tells a duplicate.
const STATEMENTS: [&str; 9] = [
    "set(log.body, log.body[\"object\"]) where log.body[\"object\"] != nil",
    "set(scope.name, \"lumigo-operator.k8s-events\")",
    "set(log.attributes[\"event.domain\"], \"k8s\")",
    "set(log.attributes[\"event.name\"], log.body[\"metadata\"][\"name\"])",
    "set(log.attributes[\"k8s.event.uid\"], log.body[\"metadata\"][\"uid\"])",
    "set(log.attributes[\"k8s.event.resource_version\"], log.body[\"metadata\"][\"resourceVersion\"])",
    "set(log.attributes[\"k8s.event.reason\"], log.body[\"reason\"]) where log.body[\"reason\"] != nil",
    "set(log.severity_number, SEVERITY_NUMBER_INFO) where log.body[\"type\"] != \"Warning\"",
    "set(log.severity_number, SEVERITY_NUMBER_WARN) where log.body[\"type\"] == \"Warning\"",
];

/// A namespace's name, in the statements.
const NAME: &str = "resource.attributes[\"k8s.namespace.name\"]";

/// How many uids are in one text. What the Collector takes to read a text grows with the square of its length.
const UIDS_OF_A_TEXT: usize = 16;

/// What stands in front of a namespace's name in a text with uids, and what between that and the uid: neither can be in a name.
const MARKS: [&str; 2] = [";", "="];

/// What *events* is to run with.
#[derive(Debug, PartialEq, Eq)]
pub struct Events {
    /// The configuration.
    pub configuration: Vec<u8>,
    /// The tokens that it takes from files, by the names of those.
    pub tokens: BTreeMap<String, Token>,
    /// The namespaces that there was no room for.
    pub left_out: Vec<String>,
}

/// The configuration of *events* for these namespaces; `None` if there are none.
pub fn events(ground: &Ground, namespaces: &[Namespace]) -> Option<Events> {
    // Whose names come first are served, so that which ones does not depend on what came when.
    let mut served = BTreeSet::new();
    let (within, beyond): (Vec<_>, Vec<_>) = namespaces.iter().partition(|namespace| {
        let has_room = served.len() < MAX_TOKENS || served.contains(&namespace.token);
        if has_room {
            served.insert(&namespace.token);
        }
        has_room
    });
    if within.is_empty() {
        return None;
    }
    let tokens: BTreeMap<String, Token> = served.into_iter().map(|token| (digest(token), token.clone())).collect();
    let digests: BTreeMap<&Token, &str> = tokens.iter().map(|(digest, token)| (token, digest.as_str())).collect();
    let mut names = BTreeMap::<&str, Vec<&str>>::new();
    for namespace in &within {
        let Some(digest) = digests.get(&namespace.token) else { continue };
        names.entry(digest).or_default().push(&namespace.name);
    }
    let table = names.into_iter().map(|(digest, names)| {
        // The whole name: `shop` is not `shop-test`. In one pattern, which the Collector reads far sooner than a condition for each.
        let condition = format!("IsMatch(attributes[\"k8s.namespace.name\"], \"^(?:{})$\")", names.join("|"));
        Route { context: "resource", condition: Literal(condition), pipelines: [format!("logs/{digest}")] }
    });
    let uids = uids(&within);
    let configuration = configuration(ground, table.collect(), uids, tokens.keys());
    let left_out = beyond.into_iter().map(|namespace| namespace.name.clone()).collect();
    Some(Events { configuration, tokens, left_out })
}

/// The digest of the token that a file in the folder of the queues is for, as the Collector names it; `None` for other files.
pub fn token_of_queue(file: &str) -> Option<&str> {
    file.strip_prefix("exporter_otlp_http_")?.strip_suffix("_logs")
}

/// The statements that give a namespace's Events its uid. By texts in which the Collector looks the name up, each of namespaces whose
/// names follow one another: a statement for each would be slow to read, and so would one text for all.
fn uids(namespaces: &[&Namespace]) -> Vec<String> {
    let [before, after] = MARKS;
    let known = namespaces.iter().filter_map(|namespace| Some((namespace.name.as_str(), namespace.uid.as_ref()?)));
    let mut known: Vec<_> = known.collect();
    known.sort_unstable();
    let (text, at) = ("resource.cache[\"uids\"]", "resource.cache[\"at\"]");
    let texts = known.chunks(UIDS_OF_A_TEXT).filter_map(|known| {
        let ((first, _), (last, _)) = (known.first()?, known.last()?);
        let all = known.iter().fold(String::new(), |all, (name, uid)| all + before + name + after + uid);
        Some(format!("set({text}, \"{all}\") where {NAME} >= \"{first}\" and {NAME} <= \"{last}\""))
    });
    let found =
        format!("set({at}, Index({text}, Concat([\"{before}\", {NAME}, \"{after}\"], \"\"))) where {text} != nil");
    let uid = format!("Substring({text}, {at} + Len({NAME}) + 2, {UID})");
    let set = format!("set(resource.attributes[\"k8s.namespace.uid\"], {uid}) where {at} != nil and {at} >= 0");
    texts.chain([found, set]).collect()
}

fn configuration<'a>(
    ground: &Ground,
    table: Vec<Route>,
    uids: Vec<String>,
    digests: impl Iterator<Item = &'a String>,
) -> Vec<u8> {
    let Ground { settings, access, places, memory, cluster_uid } = ground;
    let watched = |mode, interval, exclude_watch_type| Watched { name: "events", mode, interval, exclude_watch_type };
    let cluster_uid =
        cluster_uid.as_ref().map(|uid| format!("set(resource.attributes[\"k8s.cluster.uid\"], \"{uid}\")"));
    let statements = STATEMENTS.map(str::to_owned).into_iter().chain(cluster_name(settings)).chain(cluster_uid);
    let processors = Parts::from([
        (MEMORY_LIMITER.to_owned(), memory_limiter(Share::of_events(*memory))),
        (SHAPE.to_owned(), transform(statements.collect())),
        (UIDS.to_owned(), transform(uids)),
    ]);
    let steps = vec![MEMORY_LIMITER, SHAPE, UIDS];
    let input = Pipeline { receivers: [OBJECTS], processors: steps, exporters: [ROUTING.to_owned()] };
    let mut pipelines = Parts::from([("logs".to_owned(), input)]);
    let mut exporters = Parts::new();
    let otlp = &settings.endpoint.otlp;
    for digest in digests {
        let exporter = format!("otlp_http/{digest}");
        let output = Pipeline { receivers: [ROUTING], processors: Vec::new(), exporters: [exporter.clone()] };
        pipelines.insert(format!("logs/{digest}"), output);
        let file = places.tokens().join(digest).display().to_string();
        exporters.insert(
            exporter,
            Exporter {
                endpoint: otlp.url.as_str().into(),
                logs_endpoint: signal(otlp.logs_url.as_ref(), "/v1/logs"),
                metrics_endpoint: None,
                auth: None,
                headers: BTreeMap::from([("Authorization", Secret::Schemed(SCHEME, file))]),
                sending_queue: SendingQueue {
                    storage: STORAGE,
                    sizer: "bytes",
                    queue_size: QUEUE_SIZE,
                    num_consumers: 1,
                },
                retry_on_failure: RETRY,
            },
        );
    }
    to_bytes(&Configuration {
        extensions: Parts::from([(STORAGE.to_owned(), storage(&places.queue_of("events")))]),
        receivers: Parts::from([(
            OBJECTS.to_owned(),
            Receiver::Objects {
                auth_type: access.as_str(),
                // The watch tells at once, the list tells what no watch saw: what was there before, and what fell into a gap.
                objects: [watched("watch", None, Some(["DELETED"])), watched("pull", Some(INTERVAL), None)],
            },
        )]),
        processors,
        connectors: Parts::from([(ROUTING.to_owned(), Routing { error_mode: "ignore", table })]),
        exporters,
        service: Service { extensions: vec![STORAGE], pipelines, telemetry: telemetry(settings.listen.events_metrics) },
    })
}

fn transform(log_statements: Vec<String>) -> Processor {
    Processor::Transform {
        error_mode: "ignore",
        trace_statements: Vec::new(),
        log_statements,
        metric_statements: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Access, Places};
    use crate::settings::Settings;

    fn ground() -> Ground {
        Ground {
            settings: Settings::default(),
            access: Access::ServiceAccount,
            places: Places { run: "/run/proxy".into(), queue: "/queue".into() },
            memory: None,
            cluster_uid: None,
        }
    }

    fn namespaces(count: usize, tokens: usize) -> Vec<Namespace> {
        let token = |number: usize| Token::parse(format!("t_{:021x}", number % tokens)).expect("a token");
        let uid = |number| Some(format!("{number:08x}-0000-4000-8000-000000000000"));
        (0..count)
            .map(|number| Namespace { name: format!("ns-{number:05}"), uid: uid(number), token: token(number) })
            .collect()
    }

    #[test]
    fn no_namespace_needs_no_collector() {
        assert_eq!(events(&ground(), &[]), None);
    }

    #[test]
    fn each_token_has_one_exporter_and_none_is_in_the_text() {
        let events = events(&ground(), &namespaces(6, 2)).expect("a configuration");
        let text = String::from_utf8(events.configuration.clone()).expect("text");
        assert_eq!(text.matches("\"endpoint\"").count(), 2);
        for names in ["ns-00000|ns-00002|ns-00004", "ns-00001|ns-00003|ns-00005"] {
            assert_eq!(text.matches(&format!("\\\"^(?:{names})$$\\\")")).count(), 1, "{text}");
        }
        for (digest, token) in &events.tokens {
            assert!(text.contains(&format!("LumigoToken ${{file:/run/proxy/tokens/{digest}}}")), "{text}");
            assert!(!text.contains(token.expose()), "{text}");
        }
        let again = super::events(&ground(), &namespaces(6, 2)).expect("a configuration");
        assert_eq!(events, again);
    }

    #[test]
    fn each_text_with_uids_is_for_the_names_from_its_first_to_its_last() {
        let all = namespaces(UIDS_OF_A_TEXT + 1, 1);
        let statements = uids(&all.iter().rev().collect::<Vec<_>>());
        let [first, second, _, _] = statements.as_slice() else { panic!("{statements:?}") };
        let last = UIDS_OF_A_TEXT - 1;
        assert!(first.starts_with("set(resource.cache[\"uids\"], \";ns-00000=00000000-0000-4000-"), "{first}");
        assert!(first.ends_with(&format!(">= \"ns-00000\" and {NAME} <= \"ns-{last:05}\"")), "{first}");
        assert!(second.ends_with(&format!(">= \"ns-00016\" and {NAME} <= \"ns-00016\"")), "{second}");
    }

    #[test]
    fn tokens_beyond_the_bound_are_left_out_by_name_and_namespaces_of_served_ones_are_not() {
        let mut all = namespaces(MAX_TOKENS + 2, MAX_TOKENS + 2);
        let first = all.first().expect("some").token.clone();
        all.push(Namespace { name: "zz".to_owned(), uid: None, token: first });
        let events = events(&ground(), &all).expect("a configuration");
        assert_eq!(events.tokens.len(), MAX_TOKENS);
        assert_eq!(events.left_out, [format!("ns-{MAX_TOKENS:05}"), format!("ns-{:05}", MAX_TOKENS + 1)]);
    }

    #[test]
    fn ten_thousand_namespaces_are_rendered_soon() {
        let namespaces = namespaces(10_000, 300);
        let started = std::time::Instant::now();
        let events = events(&ground(), &namespaces).expect("a configuration");
        let took = started.elapsed();
        assert_eq!(String::from_utf8_lossy(&events.configuration).matches("\"condition\"").count(), 300);
        // Ten times the budget, for this is not optimised; with optimisation it is a few milliseconds.
        assert!(took < std::time::Duration::from_secs(1), "{took:?}");
    }
}
