//! What the init container asks for and may use: what the pod's first container does.
//!
//! An amount of our own would always be wrong somewhere. A limit that is small enough to be asked for by every pod throttles
//! the copying to many seconds; a larger request holds room on a node for as long as the pod lives; either may be outside of
//! what a LimitRange allows. Whatever lets the first container into a namespace lets in one that asks for the same. It costs
//! nothing, since a pod counts as the larger of its init containers and the sum of its containers: for a node, a quota, and
//! a LimitRange of pods. And the pod keeps its QoS class, whichever it is.

use serde_json::{Map, Value};

/// What a container may be made to ask for; all else is for the application alone.
const COMMON: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// The least that the memory is limited to, in bytes: all that is copied, should the volume be in memory, and the program.
/// Only what is smaller than any Java, Node.js or Python has less, and it is not to be kept from starting.
const LEAST_MEMORY: f64 = 67_108_864.0;
const LEAST_MEMORY_TEXT: &str = "64Mi";

/// The resources of the init container of a pod; `None` where its first container names none.
pub(crate) fn of_init_container(pod: &Value) -> Option<Value> {
    let of_application = pod.pointer("/containers/0/resources")?;
    let amounts = |list: &str| {
        let amounts = of_application.get(list).and_then(Value::as_object);
        let common = COMMON.into_iter().filter_map(|name| Some((name.to_owned(), amounts?.get(name)?.clone())));
        common.collect::<Map<_, _>>()
    };
    let (mut limits, mut requests) = (amounts("limits"), amounts("requests"));
    raise_memory(&mut limits, &mut requests);
    let lists = [("limits", limits), ("requests", requests)].into_iter().filter(|(_, amounts)| !amounts.is_empty());
    let lists: Map<_, _> = lists.map(|(list, amounts)| (list.to_owned(), amounts.into())).collect();
    (!lists.is_empty()).then(|| lists.into())
}

/// Brings a limit that is too low up to the least, and a request that is equal to it too.
fn raise_memory(limits: &mut Map<String, Value>, requests: &mut Map<String, Value>) {
    let [limit, request] = [&*limits, &*requests].map(|amounts| amounts.get("memory").and_then(bytes));
    let Some(limit) = limit.filter(|limit| *limit < LEAST_MEMORY) else { return };
    limits.insert("memory".to_owned(), LEAST_MEMORY_TEXT.into());
    if request == Some(limit) {
        requests.insert("memory".to_owned(), LEAST_MEMORY_TEXT.into());
    }
}

/// A quantity as Kubernetes writes it; `None` for one that nobody writes memory in.
fn bytes(quantity: &Value) -> Option<f64> {
    const UNITS: [(&str, f64); 7] =
        [("Ki", 1024.0), ("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("", 1.0)];
    let text = quantity.as_str()?;
    let (number, unit) = UNITS.into_iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))?;
    Some(number.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::of_init_container;

    fn of(resources: Value) -> Option<Value> {
        of_init_container(&json!({ "containers": [{ "resources": resources }, { "resources": {} }] }))
    }

    #[test]
    fn what_the_first_container_names_is_named_as_it_stands() {
        let resources = json!({
            "limits": { "memory": "1Gi", "example.com/gpu": "1" },
            "requests": { "cpu": "250m", "memory": "512Mi", "hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi" },
            "claims": [{ "name": "theirs" }],
        });
        let expected = json!({
            "limits": { "memory": "1Gi" },
            "requests": { "cpu": "250m", "memory": "512Mi", "ephemeral-storage": "1Gi" },
        });
        assert_eq!(of(resources), Some(expected));
    }

    #[test]
    fn nothing_is_named_where_it_names_nothing() {
        for resources in [json!(null), json!({}), json!({ "limits": null, "requests": { "example.com/gpu": "1" } })] {
            assert_eq!(of(resources), None);
        }
        assert_eq!(of_init_container(&json!({})), None);
    }

    #[test]
    fn a_memory_limit_that_cannot_hold_the_agents_is_raised_and_an_equal_request_stays_equal() {
        let memory = |limit: Value, request: Value| {
            let found = of(json!({ "limits": { "memory": limit }, "requests": { "memory": request } })).expect("both");
            (found["limits"]["memory"].clone(), found["requests"]["memory"].clone())
        };
        let least = || json!("64Mi");
        assert_eq!(memory(json!("16Mi"), json!("16Mi")), (least(), least()));
        assert_eq!(memory(json!("16Mi"), json!("16384Ki")), (least(), least()));
        assert_eq!(memory(json!("20M"), json!("10M")), (least(), json!("10M")));
        assert_eq!(memory(json!("1000000"), json!("1000k")), (least(), least()));
        for enough in ["64Mi", "0.5Gi", "1G", "68000000", "1e9", "1Ti"] {
            assert_eq!(memory(json!(enough), json!(enough)), (json!(enough), json!(enough)));
        }
    }
}
